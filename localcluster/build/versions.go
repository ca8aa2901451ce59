package build

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// Version returns the version, with its v, of the module path that the go.mod in dir requires.
func Version(ctx context.Context, dir, path string) (string, error) {
	file := filepath.Join(dir, "go.mod")
	text, err := command.Output(ctx, goCommand(ctx, ".", "mod", "edit", "-json", file))
	if err != nil {
		return "", fmt.Errorf("read %s (run this in the folder localcluster): %w", file, err)
	}
	var module struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal([]byte(text), &module); err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	for _, required := range module.Require {
		if required.Path == path {
			return required.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s, whose version is needed", file, path)
}

// FolderName names the folder for binaries of these versions. Compiler and platform are part of the name, so that a
// change of either gives a new folder.
func FolderName(versions ...string) string {
	parts := make([]string, 0, len(versions)+3)
	for _, v := range versions {
		parts = append(parts, strings.TrimPrefix(v, "v"))
	}
	name := strings.Join(append(parts, runtime.Version(), runtime.GOOS, runtime.GOARCH), "-")
	// A compiler with experiments has them in its version, after a space.
	return strings.ReplaceAll(name, " ", "-")
}

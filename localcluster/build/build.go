// Package build makes the programs of the tests, which modules below tools/ pin. It keeps them in the user's cache,
// outside the checkout, because making them takes minutes.
package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// Binary is a program that a module below tools/ pins.
type Binary struct {
	// Name is the name of the file.
	Name string
	// Module is the folder with the go.mod.
	Module  string
	Package string
	// Tags are the build tags, with commas between them.
	Tags string
	// Linker has additional linker flags, a space before each.
	Linker string
	// Cgo needs a C compiler.
	Cgo bool
}

// KubernetesStamps returns the linker flags of Kubernetes' own build. Without them an API server calls itself
// v0.0.0-master, and clients choose their requests by that version.
func KubernetesStamps(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	stamps := []string{
		"gitVersion=" + version,
		"gitMajor=" + major,
		"gitMinor=" + minor,
		"gitCommit=unknown",
		"gitTreeState=clean",
		"buildDate=1970-01-01T00:00:00Z",
	}
	var flags strings.Builder
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, stamp := range stamps {
			flags.WriteString(" -X " + pkg + "." + stamp)
		}
	}
	return flags.String()
}

// build makes dir/b.Name.
func (c Cache) build(ctx context.Context, b Binary, dir string) error {
	args := []string{"build", "-trimpath", "-ldflags", "-s -w" + b.Linker}
	if b.Tags != "" {
		args = append(args, "-tags", b.Tags)
	}
	cmd := goCommand(ctx, b.Module, append(args, "-o", filepath.Join(dir, b.Name), b.Package)...)
	if b.Cgo {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	}
	err := c.Progress.during("building "+b.Name, func() error {
		_, err := command.Output(ctx, cmd)
		return err
	})
	if err != nil {
		return fmt.Errorf("build %s from %s: %w", b.Name, b.Module, err)
	}
	return nil
}

// goCommand returns a command that runs go in dir.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// A developer's workspace around the checkout does not hold tools/.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	return cmd
}

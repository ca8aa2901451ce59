package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Where the versions are pinned, and of what.
const (
	kubernetesModule = "tools/controlplane"
	kubernetesPath   = "k8s.io/kubernetes"
	etcdModule       = "tools/etcd"
	etcdPath         = "go.etcd.io/etcd/server/v3"
)

// versions are the pinned ones, with their v.
type versions struct{ kubernetes, etcd string }

func readVersions(ctx context.Context) (versions, error) {
	kubernetes, err := readVersion(ctx, kubernetesModule, kubernetesPath)
	if err != nil {
		return versions{}, err
	}
	etcd, err := readVersion(ctx, etcdModule, etcdPath)
	if err != nil {
		return versions{}, err
	}
	return versions{kubernetes: kubernetes, etcd: etcd}, nil
}

// readVersion returns the version of path that the go.mod in dir requires.
func readVersion(ctx context.Context, dir, path string) (string, error) {
	file := filepath.Join(dir, "go.mod")
	text, err := execute(ctx, ".", "go", "mod", "edit", "-json", file)
	if err != nil {
		return "", fmt.Errorf("read %s (run this in the repository's top folder): %w", file, err)
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

// folder names the place for a control plane of these versions. The compiler and
// the platform are part of it, so that a change of either makes a new one.
func (v versions) folder() string {
	name := strings.Join([]string{
		strings.TrimPrefix(v.kubernetes, "v"),
		strings.TrimPrefix(v.etcd, "v"),
		runtime.Version(), runtime.GOOS, runtime.GOARCH,
	}, "-")
	// A compiler with experiments has them in its version, after a space.
	return strings.ReplaceAll(name, " ", "-")
}

// patches selects every patch of the minor version, in setup-envtest's words.
func (v versions) patches() string {
	whole := strings.TrimPrefix(v.kubernetes, "v")
	return whole[:strings.LastIndex(whole, ".")+1] + "x"
}

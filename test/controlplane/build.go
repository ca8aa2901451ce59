package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// binary is a program that a module below tools/ pins.
type binary struct {
	name   string // of the file
	module string // the folder with its go.mod
	pkg    string
	stamps string // linker flags that tell it its version
}

// controlPlane is what envtest starts. kube-apiserver comes first because it
// compiles what kubectl shares with it.
func controlPlane(v versions) []binary {
	return []binary{
		kubernetesBinary("kube-apiserver", v),
		kubernetesBinary("kubectl", v),
		{name: "etcd", module: etcdModule, pkg: etcdPath},
	}
}

func kubernetesBinary(name string, v versions) binary {
	return binary{
		name:   name,
		module: kubernetesModule,
		pkg:    kubernetesPath + "/cmd/" + name,
		stamps: kubernetesStamps(v.kubernetes),
	}
}

// kubernetesStamps sets what Kubernetes' own build sets. An API server without
// them calls itself v0.0.0-master, by which clients choose what they may ask for.
func kubernetesStamps(version string) string {
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

// build makes dir/name.
func (s setup) build(ctx context.Context, b binary, dir string) error {
	err := s.progress.during("building "+b.name, func() error {
		_, err := execute(ctx, b.module, "go", "build", "-trimpath", "-ldflags", "-s -w"+b.stamps,
			"-o", filepath.Join(dir, b.name), b.pkg)
		return err
	})
	if err != nil {
		return fmt.Errorf("build %s from %s: %w", b.name, b.module, err)
	}
	return nil
}

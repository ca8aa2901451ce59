package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"xbot.a4b.vn/channel-connector/localcluster/build"
	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// The modules that pin the other binaries, and the paths of what they pin.
const (
	containerdModule = "tools/containerd"
	containerdPath   = "github.com/containerd/containerd/v2"
	runcModule       = "tools/runc"
	runcPath         = "github.com/opencontainers/runc"
	pluginsModule    = "tools/cni"
	pluginsPath      = "github.com/containernetworking/plugins"
	corednsModule    = "tools/coredns"
	corednsPath      = "github.com/coredns/coredns"
)

const (
	ctr       = "ctr"
	kubectl   = "kubectl"
	coredns   = "coredns"
	hyperkube = "hyperkube"
)

// versions are the pinned ones, with their v.
type versions struct{ kubernetes, containerd, runc, plugins, coredns string }

func readVersions(ctx context.Context) (v versions, err error) {
	for _, m := range []struct {
		version   *string
		dir, path string
	}{
		{&v.kubernetes, build.KubernetesModule, build.KubernetesPath},
		{&v.containerd, containerdModule, containerdPath},
		{&v.runc, runcModule, runcPath},
		{&v.plugins, pluginsModule, pluginsPath},
		{&v.coredns, corednsModule, corednsPath},
	} {
		if *m.version, err = build.Version(ctx, m.dir, m.path); err != nil {
			return versions{}, err
		}
	}
	return v, nil
}

func (v versions) folder() string {
	return "node-" + build.FolderName(v.kubernetes, v.containerd, v.runc, v.plugins, v.coredns)
}

// binaries lists the programs that a cluster needs in addition to the control plane of the tests.
func (v versions) binaries() []build.Binary {
	stamp := " -X " + containerdPath + "/version.Version=" + v.containerd +
		" -X " + containerdPath + "/version.Package=" + containerdPath
	containerdBinary := func(name string) build.Binary {
		return build.Binary{
			Name: name, Module: containerdModule, Package: containerdPath + "/cmd/" + name,
			Tags: "no_btrfs,no_devmapper,no_zfs,no_aufs", Linker: stamp,
		}
	}
	plugin := func(name string) build.Binary {
		return build.Binary{
			Name: filepath.Base(name), Module: pluginsModule, Package: pluginsPath + "/plugins/" + name,
		}
	}
	return []build.Binary{
		{
			Name: hyperkube, Module: build.KubernetesModule, Package: "./hyperkube",
			Linker: build.KubernetesStamps(v.kubernetes),
		},
		// Static, because it also runs where the node's libraries are missing.
		{
			Name: "runc", Module: runcModule, Package: runcPath, Cgo: true,
			Tags: "seccomp,netgo,osusergo", Linker: " -extldflags -static",
		},
		{Name: coredns, Module: corednsModule, Package: "."},
		containerdBinary(containerd),
		containerdBinary("containerd-shim-runc-v2"),
		containerdBinary(ctr),
		plugin("ipam/host-local"),
		plugin("main/bridge"),
		plugin("main/loopback"),
		plugin("meta/portmap"),
	}
}

// install puts every program into bin under its own name: links into the cache, and pause, which is built in an
// instant.
func (c *Cluster) install(ctx context.Context) error {
	controlPlane, err := build.ControlPlane(ctx, os.UserCacheDir, c.progress.Out)
	if err != nil {
		return err
	}
	v, err := readVersions(ctx)
	if err != nil {
		return err
	}
	node, err := c.cache.Binaries(ctx, v.folder(), "the programs of a node", v.binaries())
	if err != nil {
		return err
	}
	links := make(map[string]string)
	for _, name := range []string{etcd, kubeAPIServer, kubectl} {
		links[name] = filepath.Join(controlPlane, name)
	}
	for _, name := range []string{kubeControllerManager, kubeScheduler, kubeProxy, kubelet} {
		links[name] = filepath.Join(node, hyperkube)
	}
	for _, b := range v.binaries() {
		links[b.Name] = filepath.Join(node, b.Name)
	}
	for name, target := range links {
		if err := os.Symlink(target, c.bin(name)); err != nil {
			return fmt.Errorf("install %s: %w", name, err)
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", c.bin("pause"), "./cmd/pause")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	_, err = command.Output(ctx, cmd)
	return err
}

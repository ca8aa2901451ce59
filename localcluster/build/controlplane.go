package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// AssetsVariable is the environment variable with the folder of a control plane to use as it is.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// The modules that pin the versions, and the paths of what they pin.
const (
	KubernetesModule = "tools/controlplane"
	KubernetesPath   = "k8s.io/kubernetes"
	etcdModule       = "tools/etcd"
	etcdPath         = "go.etcd.io/etcd/server/v3"
)

const advice = `
What to do: see that the Go module proxy can be reached (go env GOPROXY) and that
some 4 GiB of disk are free, then run "make assets" again: what was built is kept.
Or set KUBEBUILDER_ASSETS to a folder that has kube-apiserver, etcd and kubectl.`

// ControlPlane returns the folder with kube-apiserver, etcd and kubectl: the one that KUBEBUILDER_ASSETS names, or that
// of the pinned versions in the user's cache. It makes the binaries that the cache lacks. It works in the module's
// folder, and reports progress to out.
func ControlPlane(ctx context.Context, userCache func() (string, error), out io.Writer) (string, error) {
	if dir := os.Getenv(AssetsVariable); dir != "" {
		return dir, nil
	}
	c, err := NewCache(userCache, Progress{
		Program: "controlplane", Total: "7 minutes", Out: out, Every: 15 * time.Second,
	})
	if err != nil {
		return "", fmt.Errorf("%w or %s", err, AssetsVariable)
	}
	dir, err := c.controlPlane(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		return "", fmt.Errorf("interrupted (%w); what was built is kept, the next run goes on from there", err)
	case err != nil:
		return "", fmt.Errorf("%w\n%s", err, advice)
	}
	return dir, nil
}

func (c Cache) controlPlane(ctx context.Context) (string, error) {
	pinned, err := readVersions(ctx)
	if err != nil {
		return "", err
	}
	return c.get(ctx, set{
		folder:   pinned.folder(),
		title:    fmt.Sprintf("Kubernetes %s and etcd %s", pinned.kubernetes, pinned.etcd),
		binaries: controlPlane(pinned),
		download: func(ctx context.Context, work, dir string) error { return c.download(ctx, work, dir, pinned) },
	})
}

// controlPlane lists the programs that envtest starts. kube-apiserver comes first because it compiles the packages that
// kubectl shares with it.
func controlPlane(v versions) []Binary {
	return []Binary{
		kubernetesBinary("kube-apiserver", v),
		kubernetesBinary("kubectl", v),
		{Name: "etcd", Module: etcdModule, Package: etcdPath},
	}
}

func kubernetesBinary(name string, v versions) Binary {
	return Binary{
		Name:    name,
		Module:  KubernetesModule,
		Package: KubernetesPath + "/cmd/" + name,
		Linker:  KubernetesStamps(v.kubernetes),
	}
}

// versions are the pinned ones, with their v.
type versions struct{ kubernetes, etcd string }

func readVersions(ctx context.Context) (v versions, err error) {
	if v.kubernetes, err = Version(ctx, KubernetesModule, KubernetesPath); err == nil {
		v.etcd, err = Version(ctx, etcdModule, etcdPath)
	}
	return v, err
}

func (v versions) folder() string { return FolderName(v.kubernetes, v.etcd) }

// patches selects every patch of the minor version, in the syntax of setup-envtest.
func (v versions) patches() string {
	whole := strings.TrimPrefix(v.kubernetes, "v")
	return whole[:strings.LastIndex(whole, ".")+1] + "x"
}

package local

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// The images of the cluster itself. No registry has them: the domain test never resolves.
const (
	pauseImage   = "cluster.test/pause:1"
	corednsImage = "cluster.test/coredns:1"
)

// packImages writes the archives of the cluster's own images.
func (c *Cluster) packImages() error {
	for program, image := range map[string]string{"pause": pauseImage, coredns: corednsImage} {
		if err := pack(c.bin(program), image, filepath.Join(c.images(), program+".tar")); err != nil {
			return fmt.Errorf("pack the image %s: %w", image, err)
		}
	}
	return nil
}

// pack writes an image that has one static program and nothing else.
func pack(program, image, archive string) error {
	ref, err := name.NewTag(image)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	layer, err := newLayer(filepath.Base(program), content)
	if err != nil {
		return err
	}
	packed, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	config, err := packed.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: []string{"/" + filepath.Base(program)}, User: "65532:65532"}
	if packed, err = mutate.ConfigFile(packed, config); err != nil {
		return err
	}
	return tarball.WriteToFile(archive, ref, packed)
}

// newLayer is not compressed: it goes no further than this computer.
func newLayer(file string, content []byte) (v1.Layer, error) {
	var files bytes.Buffer
	archive := tar.NewWriter(&files)
	if err := archive.WriteHeader(&tar.Header{Name: file, Mode: 0o755, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := archive.Write(content); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return static.NewLayer(files.Bytes(), types.DockerUncompressedLayer), nil
}

// LoadImages imports archives of `docker save` or the OCI into every node, and keeps them for nodes that are added
// later. An archive replaces an earlier one of the same file name.
func (c *Cluster) LoadImages(ctx context.Context, archives ...string) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	nodes, err := c.nodes()
	if err != nil {
		return err
	}
	for _, archive := range archives {
		kept := filepath.Join(c.images(), filepath.Base(archive))
		content, err := os.ReadFile(archive)
		if err != nil {
			return fmt.Errorf("load %s: %w", archive, err)
		}
		if err := os.WriteFile(kept, content, 0o600); err != nil {
			return fmt.Errorf("load %s: %w", archive, err)
		}
		for _, n := range nodes {
			if err := c.importImages(ctx, n, kept); err != nil {
				return fmt.Errorf("load %s: %w", archive, err)
			}
		}
	}
	return nil
}

// importImages gives archives to a node's containerd.
func (c *Cluster) importImages(ctx context.Context, n node, archives ...string) error {
	for _, archive := range archives {
		if err := c.ctr(ctx, n, "images", "import", archive); err != nil {
			return fmt.Errorf("import %s into %s: %w", filepath.Base(archive), n, err)
		}
	}
	return nil
}

// ctr runs ctr on a node's containerd, in the namespace of Kubernetes.
func (c *Cluster) ctr(ctx context.Context, n node, args ...string) error {
	pid, err := c.machine(n.String()).pid()
	if err != nil {
		return err
	}
	args = append([]string{"--address", containerdSocket(pid), "--namespace", "k8s.io"}, args...)
	_, err = command.Output(ctx, exec.CommandContext(ctx, c.bin(ctr), args...))
	return err
}

// importAll gives a new node every image of the others.
func (c *Cluster) importAll(ctx context.Context, n node) error {
	archives, err := filepath.Glob(filepath.Join(c.images(), "*"))
	if err != nil {
		return err
	}
	return c.importImages(ctx, n, archives...)
}

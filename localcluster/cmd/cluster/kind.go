package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// foreign is a cluster that this program did not make itself, known by its kubeconfig.
type foreign struct {
	out        io.Writer
	kubeconfig string
	// absent is the error if there is no kubeconfig.
	absent string
}

func newForeign(kind string, out io.Writer, absent string) (foreign, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return foreign{}, err
	}
	dir := filepath.Join(cache, "xbot-channel-connector")
	return foreign{out, filepath.Join(dir, kind+".kubeconfig"), absent}, os.MkdirAll(dir, 0o755)
}

// Status shows the nodes with the user's kubectl.
func (f foreign) Status(ctx context.Context, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "kubectl", "--kubeconfig", f.kubeconfig, "get", "nodes", "-o", "wide")
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

// Kubeconfig returns the file that Up wrote.
func (f foreign) Kubeconfig(context.Context) (string, error) {
	if _, err := os.Stat(f.kubeconfig); err != nil {
		return "", errors.New(f.absent)
	}
	return f.kubeconfig, nil
}

// forget removes the kubeconfig, if there is one.
func (f foreign) forget() error {
	if err := os.Remove(f.kubeconfig); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// kindCluster is a cluster of kind, in Docker. UNTESTED: nobody has run it yet.
type kindCluster struct{ foreign }

const kindName = "channel-connector"

func newKindCluster(out io.Writer) (*kindCluster, error) {
	if _, err := exec.LookPath("kind"); err != nil {
		return nil, errors.New("kind is not installed: see https://kind.sigs.k8s.io, or use CLUSTER=local on Linux as root")
	}
	f, err := newForeign("kind", out, `the cluster is not up: run "make cluster-up CLUSTER=kind"`)
	return &kindCluster{f}, err
}

// kind runs kind on the cluster.
func (c *kindCluster) kind(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "kind", append(args, "--name", kindName)...)
	cmd.Stdout, cmd.Stderr = c.out, c.out
	return cmd.Run()
}

// Up creates the cluster unless it exists.
func (c *kindCluster) Up(ctx context.Context) error {
	names, err := exec.CommandContext(ctx, "kind", "get", "clusters").Output()
	if err != nil {
		return err
	}
	if slices.Contains(strings.Fields(string(names)), kindName) {
		return c.kind(ctx, "export", "kubeconfig", "--kubeconfig", c.kubeconfig)
	}
	return c.kind(ctx, "create", "cluster", "--wait", "2m", "--kubeconfig", c.kubeconfig)
}

// Down deletes the cluster; kind does nothing if there is none.
func (c *kindCluster) Down(ctx context.Context) error {
	if err := c.kind(ctx, "delete", "cluster", "--kubeconfig", c.kubeconfig); err != nil {
		return err
	}
	return c.forget()
}

// LoadImages imports the archives into every node.
func (c *kindCluster) LoadImages(ctx context.Context, archives ...string) error {
	for _, archive := range archives {
		if err := c.kind(ctx, "load", "image-archive", archive); err != nil {
			return err
		}
	}
	return nil
}

// AddNode fails: kind makes all nodes at once.
func (c *kindCluster) AddNode(context.Context) error {
	return errors.New("kind adds no node to a cluster that is up: use CLUSTER=local")
}

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

// kindCluster is a cluster of kind, in Docker. UNTESTED: nobody has run it yet.
type kindCluster struct {
	out        io.Writer
	kubeconfig string
}

const kindName = "channel-connector"

func newKindCluster(out io.Writer) (*kindCluster, error) {
	if _, err := exec.LookPath("kind"); err != nil {
		return nil, errors.New("kind is not installed: see https://kind.sigs.k8s.io, or use CLUSTER=local on Linux as root")
	}
	file, err := kubeconfigFile("kind")
	return &kindCluster{out: out, kubeconfig: file}, err
}

// kubeconfigFile is where the kubeconfig of a kind of cluster is kept.
func kubeconfigFile(kind string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "xbot-channel-connector")
	return filepath.Join(dir, kind+".kubeconfig"), os.MkdirAll(dir, 0o755)
}

// kind runs kind on the cluster.
func (c *kindCluster) kind(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "kind", append(args, "--name", kindName)...)
	cmd.Stdout, cmd.Stderr = c.out, c.out
	return cmd.Run()
}

// Up creates the cluster unless it is there.
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

// Down deletes the cluster; kind does not mind if there is none.
func (c *kindCluster) Down(ctx context.Context) error {
	if err := c.kind(ctx, "delete", "cluster", "--kubeconfig", c.kubeconfig); err != nil {
		return err
	}
	if err := os.Remove(c.kubeconfig); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Status shows the nodes.
func (c *kindCluster) Status(ctx context.Context, out io.Writer) error {
	return showNodes(ctx, c.kubeconfig, out)
}

// showNodes shows the nodes by the kubectl of the user.
func showNodes(ctx context.Context, kubeconfig string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "kubectl", "--kubeconfig", kubeconfig, "get", "nodes", "-o", "wide")
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

// Kubeconfig returns what Up wrote.
func (c *kindCluster) Kubeconfig(context.Context) (string, error) {
	if _, err := os.Stat(c.kubeconfig); err != nil {
		return "", errors.New(`the cluster is not up: run "make cluster-up CLUSTER=kind"`)
	}
	return c.kubeconfig, nil
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

// AddNode cannot be done: kind makes all nodes at once.
func (c *kindCluster) AddNode(context.Context) error {
	return errors.New("kind adds no node to a cluster that is up: use CLUSTER=local")
}

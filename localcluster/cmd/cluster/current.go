package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// currentCluster is the one of the user's current kubectl context. It is used, and
// never changed by this program.
type currentCluster struct {
	out        io.Writer
	kubeconfig string
}

func newCurrentCluster(out io.Writer) (*currentCluster, error) {
	file, err := kubeconfigFile("current")
	return &currentCluster{out: out, kubeconfig: file}, err
}

// Up keeps the current context in a file of its own, so that what follows, and the
// end of it, goes to the same cluster if the user turns to another.
func (c *currentCluster) Up(ctx context.Context) error {
	config, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		return fmt.Errorf("read your kubeconfig: %w", err)
	}
	name := config.CurrentContext
	if kept, err := clientcmd.LoadFromFile(c.kubeconfig); err == nil && kept.CurrentContext != name {
		return fmt.Errorf("the cluster of the kubectl context %q is in use since an earlier \"up\": take it down first", kept.CurrentContext)
	}
	if err := clientcmdapi.MinifyConfig(config); err != nil {
		return fmt.Errorf("your kubeconfig has no current context: %w; choose one with \"kubectl config use-context\"", err)
	}
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("read your kubeconfig: %w", err)
	}
	if err := clientcmd.WriteToFile(*config, c.kubeconfig); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "cluster: using your current kubectl context, %s\n", name)
	return showNodes(ctx, c.kubeconfig, c.out)
}

// Down leaves the cluster alone, and forgets which one it was.
func (c *currentCluster) Down(context.Context) error {
	fmt.Fprintln(c.out, "cluster: the cluster of the kubectl context stays as it is")
	if err := os.Remove(c.kubeconfig); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Status shows the nodes.
func (c *currentCluster) Status(ctx context.Context, out io.Writer) error {
	return showNodes(ctx, c.kubeconfig, out)
}

// Kubeconfig returns what Up wrote.
func (c *currentCluster) Kubeconfig(context.Context) (string, error) {
	if _, err := os.Stat(c.kubeconfig); err != nil {
		return "", errors.New("no kubectl context is in use: \"up\" takes the current one")
	}
	return c.kubeconfig, nil
}

// LoadImages cannot be done from outside of a cluster's nodes.
func (c *currentCluster) LoadImages(context.Context, ...string) error {
	return errors.New("images get into the cluster of your current kubectl context by a registry only: push them to one that it can pull from")
}

// AddNode is not this program's business.
func (c *currentCluster) AddNode(context.Context) error {
	return errors.New("the cluster of your current kubectl context stays as it is: use CLUSTER=local")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// currentCluster is the cluster of the user's current kubectl context. This program uses it and never changes it.
type currentCluster struct{ foreign }

func newCurrentCluster(out io.Writer) (*currentCluster, error) {
	f, err := newForeign("current", out, "no kubectl context is in use: \"up\" takes the current one")
	return &currentCluster{f}, err
}

// Up keeps the current context in a file of its own. So the commands that follow reach the same cluster, even if the
// user switches to another context.
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
	return c.Status(ctx, c.out)
}

// Down leaves the cluster alone, and forgets which one it was.
func (c *currentCluster) Down(context.Context) error {
	fmt.Fprintln(c.out, "cluster: the cluster of the kubectl context stays as it is")
	return c.forget()
}

// LoadImages fails: a foreign cluster's nodes take images from a registry only.
func (c *currentCluster) LoadImages(context.Context, ...string) error {
	return errors.New("images get into the cluster of your current kubectl context by a registry only: push them to one that it can pull from")
}

// AddNode fails: the cluster is never changed.
func (c *currentCluster) AddNode(context.Context) error {
	return errors.New("the cluster of your current kubectl context stays as it is: use CLUSTER=local")
}

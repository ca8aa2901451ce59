package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// TestCurrentStays: what Up took is used until Down, whatever context is current.
func TestCurrentStays(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "config"))
	t.Setenv("PATH", kubectlStub(t))
	c, err := newCurrentCluster(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Kubeconfig(t.Context()); err == nil {
		t.Error("there is a kubeconfig before Up")
	}
	choose(t, "first")
	if err := c.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	choose(t, "second")
	wantContext(t, c, "first")
	if err := c.Up(t.Context()); err == nil || !strings.Contains(err.Error(), `"first" is in use`) {
		t.Errorf("another one is taken: %v", err)
	}
	for range 2 { // the second time there is nothing to do
		if err := c.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantContext(t, c, "second")
}

// kubectlStub returns a folder with a kubectl that prints nothing: there is no cluster.
func kubectlStub(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "kubectl"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// choose makes a context the current one of the user.
func choose(t *testing.T, name string) {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + name + ".test"}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	if err := clientcmd.WriteToFile(*config, os.Getenv("KUBECONFIG")); err != nil {
		t.Fatal(err)
	}
}

func wantContext(t *testing.T, c *currentCluster, name string) {
	t.Helper()
	path, err := c.Kubeconfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil || config.CurrentContext != name {
		t.Errorf("the context is %v, %v, want %s", config, err, name)
	}
}

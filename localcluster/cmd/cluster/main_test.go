package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestArguments(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"none":                   {nil, "no command"},
		"unknown command":        {[]string{"upp"}, `unknown command "upp"`},
		"too many":               {[]string{"up", "now"}, "up takes no arguments"},
		"flag behind":            {[]string{"up", "-cluster=kind"}, "flags come before it"},
		"nothing to load":        {[]string{"load-image"}, "load-image needs the file of an image"},
		"unknown kind":           {[]string{"-cluster=minikube", "up"}, `unknown kind of cluster "minikube": want local, kind or current`},
		"images for a registry":  {[]string{"-cluster=current", "load-image", "x.tar"}, "push them"},
		"too few":                {[]string{"stop-daemon", "node1"}, "stop-daemon takes 2 arguments, not 1"},
		"fault of any cluster":   {[]string{"-cluster=current", "halt-node", "node1"}, "for a local cluster only"},
		"node for whose cluster": {[]string{"-cluster=current", "add-node"}, "stays as it is"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), tt.args, &stdout, &stderr)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout %q, want none", &stdout)
			}
		})
	}
}

// The error says that there is no cluster, and what to do.
func TestNoCluster(t *testing.T) {
	for _, command := range []string{
		"status", "kubeconfig", "add-node", "enforce-policies", "ignore-policies", "halt-node node1", "stop-daemon control-plane etcd",
	} {
		t.Run(command, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), strings.Fields(command), &stdout, &stderr)
			if err == nil || !strings.Contains(err.Error(), "make cluster-up") {
				t.Errorf("error %v, want what to do", err)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout %q, want none", &stdout)
			}
		})
	}
}

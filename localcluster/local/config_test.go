package local

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"sigs.k8s.io/yaml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Two nodes share a computer: whatever would clash has to differ.
func TestNodesHaveTheirOwn(t *testing.T) {
	c := &Cluster{Dir: t.TempDir()}
	type own struct{ Cgroup, Certificate, Name, Subnet, Networks string }
	want := map[node]own{
		1: {"/xbot-cluster/node1", c.pki("node1.crt"), "node1", "10.244.1.0/24", c.config("node1", "cni")},
		2: {"/xbot-cluster/node2", c.pki("node2.crt"), "node2", "10.244.2.0/24", c.config("node2", "cni")},
	}
	got := make(map[node]own)
	for n := range want {
		if err := c.configure(n.String(), n); err != nil {
			t.Fatal(err)
		}
		var kubelet struct{ CgroupRoot, TLSCertFile string }
		var proxy struct{ HostnameOverride string }
		readConfig(t, c.config(n.String(), "kubelet.yaml"), &kubelet)
		readConfig(t, c.config(n.String(), "kube-proxy.yaml"), &proxy)
		got[n] = own{
			kubelet.CgroupRoot, kubelet.TLSCertFile, proxy.HostnameOverride,
			subnet(t, c.config(n.String(), "cni/pods.conflist")), networks(t, c.config(n.String(), "containerd.toml")),
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func readConfig(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readFile(t, file)), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func subnet(t *testing.T, file string) string {
	t.Helper()
	var list struct {
		Plugins []struct {
			IPAM struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, file)), &list); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return list.Plugins[0].IPAM.Ranges[0][0].Subnet
}

func networks(t *testing.T, file string) string {
	t.Helper()
	for line := range strings.Lines(readFile(t, file)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "conf_dir = "); ok {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// Claims bind to a volume by its class and its node.
func TestVolumes(t *testing.T) {
	text, err := render("volume.yaml", node(2).volumes()[15])
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Metadata struct{ Name string }
		Spec     struct {
			StorageClassName              string
			PersistentVolumeReclaimPolicy string
			Local                         struct{ Path string }
		}
	}
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := got
	want.Metadata.Name = "node2-16"
	want.Spec.StorageClassName = "local"
	want.Spec.PersistentVolumeReclaimPolicy = "Retain"
	want.Spec.Local.Path = "/var/local/node2-16"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(string(text), "values: [node2]") {
		t.Errorf("is bound to no node:\n%s", text)
	}
}

// Every daemon has a program of its name, and none is started twice.
func TestDaemonsHavePrograms(t *testing.T) {
	c := &Cluster{Dir: t.TempDir()}
	programs := map[string]bool{
		etcd: true, kubeAPIServer: true, kubeControllerManager: true, kubeScheduler: true, kubeProxy: true, kubelet: true,
	}
	for _, b := range (versions{}).binaries() {
		programs[b.Name] = true
	}
	for _, machine := range []string{ControlPlane, "node1"} {
		seen := make(map[string]bool)
		for _, d := range c.daemons(machine) {
			if !programs[d.name] || seen[d.name] {
				t.Errorf("%s: no program for %s, or it is there twice", machine, d.name)
			}
			seen[d.name] = true
		}
	}
	if _, err := c.daemon("node1", "kube-apiserver"); err == nil || !strings.Contains(err.Error(), "kubelet") {
		t.Errorf("error %v, want the daemons that node1 has", err)
	}
}

// The real modules: what a binary needs has to stay in them.
func TestPinnedModules(t *testing.T) {
	t.Chdir("..")
	pinned, err := readVersions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range pinned.binaries() {
		if strings.HasPrefix(b.Package, ".") {
			// A program of ours, whose imports "go mod tidy" sees.
			if _, err := os.Stat(filepath.Join(b.Module, b.Package, "main.go")); err != nil {
				t.Error(err)
			}
			continue
		}
		// Without it, "go mod tidy" drops what the binary needs.
		if !strings.Contains(readFile(t, filepath.Join(b.Module, "go.mod")), b.Package+"\n") {
			t.Errorf("%s/go.mod has no tool %s", b.Module, b.Package)
		}
	}
}

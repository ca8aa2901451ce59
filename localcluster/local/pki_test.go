package local

import (
	"crypto/x509"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
)

// newCluster is a cluster that has its folders and certificates, and is not up.
func newCluster(t *testing.T) *Cluster {
	t.Helper()
	c := &Cluster{Dir: t.TempDir()}
	if err := os.MkdirAll(c.pki(""), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.writePKI(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Cluster) certificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	certificates, err := cert.CertsFromFile(c.pki(name + ".crt"))
	if err != nil {
		t.Fatal(err)
	}
	return certificates[0]
}

// trusts fails unless the cluster's authority vouches for a certificate.
func (c *Cluster) trusts(t *testing.T, name, host string, usage x509.ExtKeyUsage) error {
	t.Helper()
	authorities := x509.NewCertPool()
	authorities.AddCert(c.certificate(t, "ca"))
	_, err := c.certificate(t, name).Verify(x509.VerifyOptions{
		DNSName: host, Roots: authorities, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	return err
}

func TestServersAreTrusted(t *testing.T) {
	c := newCluster(t)
	if err := c.issueNode(2); err != nil {
		t.Fatal(err)
	}
	for host, name := range map[string]string{
		"10.99.0.2":              "kube-apiserver",
		"10.96.0.1":              "kube-apiserver",
		"kubernetes.default.svc": "kube-apiserver",
		"10.99.2.2":              "node2",
		"node2":                  "node2",
	} {
		if err := c.trusts(t, name, host, x509.ExtKeyUsageServerAuth); err != nil {
			t.Errorf("%s at %s: %v", name, host, err)
		}
	}
	if err := c.trusts(t, "node2", "10.99.1.2", x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("node2 can pass for node1")
	}
	if err := c.trusts(t, "admin", "", x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("the administrator can pass for a server")
	}
}

// Kubernetes knows its own by these names.
func TestUsers(t *testing.T) {
	c := newCluster(t)
	if err := c.issueNode(1); err != nil {
		t.Fatal(err)
	}
	type user struct {
		Name   string
		Groups []string
	}
	want := map[string]user{
		"admin":                     {"admin", []string{"system:masters"}},
		"kube-apiserver-to-kubelet": {"kube-apiserver", []string{"system:masters"}},
		"kube-controller-manager":   {"system:kube-controller-manager", nil},
		"kube-scheduler":            {"system:kube-scheduler", nil},
		"kube-proxy":                {"system:kube-proxy", nil},
		"node1":                     {"system:node:node1", []string{"system:nodes"}},
	}
	got := make(map[string]user)
	for name := range want {
		if err := c.trusts(t, name, "", x509.ExtKeyUsageClientAuth); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		subject := c.certificate(t, name).Subject
		got[name] = user{subject.CommonName, subject.Organization}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
}

// A kubeconfig is copied to other places, and works there.
func TestKubeconfigNeedsNoOtherFile(t *testing.T) {
	c := newCluster(t)
	text, err := os.ReadFile(c.kubeconfig("admin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://10.99.0.2:6443" || len(config.CertData) == 0 || len(config.KeyData) == 0 || len(config.CAData) == 0 {
		t.Errorf("host %s, certificate %d, key %d, authority %d bytes",
			config.Host, len(config.CertData), len(config.KeyData), len(config.CAData))
	}
}

func TestKeysAreSecret(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{"ca.key", "admin.key", "admin.kubeconfig", "service-accounts.key"} {
		info, err := os.Stat(c.pki(name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, got)
		}
	}
}

package local

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// validity is longer than any throw-away cluster lives.
const validity = 365 * 24 * time.Hour

// authority signs the certificates of one cluster.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// identity is what a certificate says of its holder. Kubernetes takes the common
// name for the user and the organisations for the groups.
type identity struct {
	user      string
	groups    []string
	usages    []x509.ExtKeyUsage
	names     []string
	addresses []string
}

// newAuthority writes a new authority's certificate and key to ca.crt and ca.key
// in dir.
func newAuthority(dir string) (authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "kubernetes-ca"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a := authority{certificate: template}
	var err error
	if a.key, err = newKey(filepath.Join(dir, "ca.key")); err != nil {
		return authority{}, err
	}
	return a, a.sign(template, a.key, filepath.Join(dir, "ca.crt"))
}

// readAuthority reads what newAuthority wrote.
func readAuthority(dir string) (authority, error) {
	certificates, err := cert.CertsFromFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return authority{}, err
	}
	key, err := keyutil.PrivateKeyFromFile(filepath.Join(dir, "ca.key"))
	if err != nil {
		return authority{}, err
	}
	return authority{certificate: certificates[0], key: key.(crypto.Signer)}, nil //nolint:forcetypeassert // newKey made it
}

// issue writes a key and a certificate to base.key and base.crt.
func (a authority) issue(base string, who identity) error {
	key, err := newKey(base + ".key")
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: who.user, Organization: who.groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: who.usages,
		DNSNames:    who.names,
	}
	for _, address := range who.addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	return a.sign(template, key, base+".crt")
}

func (a authority) sign(template *x509.Certificate, key crypto.Signer, file string) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return fmt.Errorf("make a serial number: %w", err)
	}
	template.SerialNumber = serial
	// A clock that is put back a little must not make it invalid.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("sign the certificate of %s: %w", template.Subject, err)
	}
	text, err := cert.EncodeCertificates(&x509.Certificate{Raw: der})
	if err != nil {
		return err
	}
	return cert.WriteCert(file, text)
}

// newKey writes a key to a file.
func newKey(file string) (crypto.Signer, error) {
	text, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := keyutil.WriteKey(file, text); err != nil {
		return nil, err
	}
	key, err := keyutil.ParsePrivateKeyPEM(text)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key.(crypto.Signer), nil //nolint:forcetypeassert // every private key is one
}

// writePKI makes the authority, and the certificates and kubeconfigs of all but the
// nodes.
func (c *Cluster) writePKI() error {
	a, err := newAuthority(c.pki(""))
	if err != nil {
		return err
	}
	if _, err := newKey(c.pki("service-accounts.key")); err != nil {
		return err
	}
	err = a.issue(c.pki("kube-apiserver"), identity{
		user:   "kube-apiserver",
		usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		names: []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local",
		},
		addresses: []string{"127.0.0.1", controlPlaneAddress, apiService},
	})
	if err != nil {
		return err
	}
	for user, who := range map[string]identity{
		"admin":                     {user: "admin", groups: []string{"system:masters"}},
		"kube-apiserver-to-kubelet": {user: "kube-apiserver", groups: []string{"system:masters"}},
		kubeControllerManager:       {user: "system:" + kubeControllerManager},
		kubeScheduler:               {user: "system:" + kubeScheduler},
		kubeProxy:                   {user: "system:" + kubeProxy},
	} {
		who.usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if err := c.issueClient(a, user, who); err != nil {
			return err
		}
	}
	return nil
}

// issueNode makes the certificate that a kubelet both serves and calls with.
func (c *Cluster) issueNode(n node) error {
	a, err := readAuthority(c.pki(""))
	if err != nil {
		return err
	}
	return c.issueClient(a, n.String(), identity{
		user:      "system:node:" + n.String(),
		groups:    []string{"system:nodes"},
		usages:    []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		names:     []string{n.String()},
		addresses: []string{n.address()},
	})
}

// issueClient makes a certificate and the kubeconfig that holds it.
func (c *Cluster) issueClient(a authority, file string, who identity) error {
	if err := a.issue(c.pki(file), who); err != nil {
		return err
	}
	const name = "channel-connector"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: apiServer, CertificateAuthority: c.pki("ca.crt")}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificate: c.pki(file + ".crt"), ClientKey: c.pki(file + ".key"),
	}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	// With everything inside, the file can be copied elsewhere.
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("kubeconfig of %s: %w", file, err)
	}
	return clientcmd.WriteToFile(*config, c.kubeconfig(file))
}

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

// tolerance keeps a certificate valid if the clock is put back a little.
const tolerance = time.Hour

// authority signs the certificates of one cluster.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// newAuthority writes a new authority's certificate and key to ca.crt and ca.key in dir.
func newAuthority(dir string) (authority, error) {
	key, err := newKey(filepath.Join(dir, "ca.key"))
	if err != nil {
		return authority{}, err
	}
	certificate, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "kubernetes-ca", NotBefore: time.Now().Add(-tolerance)}, key)
	if err != nil {
		return authority{}, fmt.Errorf("make the authority's certificate: %w", err)
	}
	return authority{certificate, key}, writeCertificate(filepath.Join(dir, "ca.crt"), certificate)
}

func writeCertificate(file string, certificate *x509.Certificate) error {
	text, err := cert.EncodeCertificates(certificate)
	if err != nil {
		return err
	}
	return cert.WriteCert(file, text)
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

// issue writes a key and a certificate to base.key and base.crt. Kubernetes takes the common name for the user and the
// organisations for the groups.
func (a authority) issue(base string, who cert.Config) error {
	key, err := newKey(base + ".key")
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: who.CommonName, Organization: who.Organization},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  who.Usages,
		DNSNames:     who.AltNames.DNSNames,
		IPAddresses:  who.AltNames.IPs,
		NotBefore:    time.Now().Add(-tolerance),
		NotAfter:     time.Now().Add(validity),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("sign the certificate of %s: %w", template.Subject, err)
	}
	return writeCertificate(base+".crt", &x509.Certificate{Raw: der})
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

// writePKI makes the authority, and all certificates and kubeconfigs except the nodes'.
func (c *Cluster) writePKI() error {
	a, err := newAuthority(c.pki(""))
	if err != nil {
		return err
	}
	if _, err := newKey(c.pki("service-accounts.key")); err != nil {
		return err
	}
	err = a.issue(c.pki("kube-apiserver"), cert.Config{
		CommonName: "kube-apiserver",
		Usages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		AltNames: cert.AltNames{
			DNSNames: []string{
				"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			},
			IPs: []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP(controlPlaneAddress), net.ParseIP(apiService)},
		},
	})
	if err != nil {
		return err
	}
	for user, who := range map[string]cert.Config{
		"admin":                     {CommonName: "admin", Organization: []string{"system:masters"}},
		"kube-apiserver-to-kubelet": {CommonName: "kube-apiserver", Organization: []string{"system:masters"}},
		kubeControllerManager:       {CommonName: "system:" + kubeControllerManager},
		kubeScheduler:               {CommonName: "system:" + kubeScheduler},
		kubeProxy:                   {CommonName: "system:" + kubeProxy},
	} {
		who.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if err := c.issueClient(a, user, who); err != nil {
			return err
		}
	}
	return nil
}

// issueNode makes a kubelet's certificate, as server and as client.
func (c *Cluster) issueNode(n node) error {
	a, err := readAuthority(c.pki(""))
	if err != nil {
		return err
	}
	return c.issueClient(a, n.String(), cert.Config{
		CommonName:   "system:node:" + n.String(),
		Organization: []string{"system:nodes"},
		Usages:       []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		AltNames:     cert.AltNames{DNSNames: []string{n.String()}, IPs: []net.IP{net.ParseIP(n.address())}},
	})
}

// issueClient makes a certificate and the kubeconfig that holds it.
func (c *Cluster) issueClient(a authority, file string, who cert.Config) error {
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
	// A kubeconfig with everything inside can be copied elsewhere.
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("kubeconfig of %s: %w", file, err)
	}
	return clientcmd.WriteToFile(*config, c.kubeconfig(file))
}

package connector_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestTheCertificateIsReplacedUnderWay(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	s.server = "tls: {certFile: tls/tls.crt, keyFile: tls/tls.key}"
	use := func(cert, key string) {
		put(t, filepath.Join(s.folder, "tls", "tls.key"), key)
		put(t, filepath.Join(s.folder, "tls", "tls.crt"), cert)
	}
	oldCert, oldKey := certificate.New(t, 1)
	newCert, newKey := certificate.New(t, 2)
	use(oldCert, oldKey)
	r := start(t, s.write(t))
	old := serves(t, r, oldCert)
	refuses(t, r, newCert)

	use(newCert, newKey)
	poll.Until(t, "the new certificate", func() bool { return trusts(r, newCert) == nil })
	serves(t, r, newCert)
	refuses(t, r, oldCert)
	if code, err := secureCall(old, r); err != nil || code != http.StatusOK {
		t.Errorf("a connection from before: %d, %v", code, err)
	}

	r.awaitReload("applied", func() { put(t, filepath.Join(s.folder, "tls", "tls.key"), oldKey) })
	serves(t, r, newCert)
}

// serves checks that a client that trusts cert alone is served, and returns it.
func serves(t *testing.T, r *running, cert string) *http.Client {
	t.Helper()
	client := newClient(t)
	client.Transport.(*http.Transport).TLSClientConfig = trusting(cert)
	if code, err := secureCall(client, r); err != nil || code != http.StatusOK {
		t.Errorf("%d, %v", code, err)
	}
	return client
}

func refuses(t *testing.T, r *running, cert string) {
	t.Helper()
	if trusts(r, cert) == nil {
		t.Error("another certificate was shown")
	}
}

// trusts makes a connection that trusts cert alone.
func trusts(r *running, cert string) error {
	conn, err := tls.Dial("tcp", r.address.Webhook, trusting(cert))
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func trusting(cert string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(cert))
	return &tls.Config{RootCAs: roots, ServerName: certificate.Name}
}

// secureCall makes the platform's probe call.
func secureCall(client *http.Client, r *running) (int, error) {
	req, err := http.NewRequest(http.MethodPost, "https://"+r.address.Webhook+pushPath, strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	req.Header.Set("xp-api-key", keyOf(shopA))
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body) // or the connection cannot serve again
	return resp.StatusCode, err
}

package connector_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

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

// TestNoCallIsDroppedWhileCertificatesChange: every call has a connection of its own, and each handshake gets a
// certificate that fits, while pairs are replaced and broken pairs come in between.
func TestNoCallIsDroppedWhileCertificatesChange(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	s.server = "tls: {certFile: tls/tls.crt, keyFile: tls/tls.key}"
	roots, pairs := x509.NewCertPool(), make([][2]string, 3)
	for i := range pairs {
		pairs[i][0], pairs[i][1] = certificate.New(t, int64(i+1))
		roots.AppendCertsFromPEM([]byte(pairs[i][0]))
	}
	use := func(pair [2]string) {
		put(t, filepath.Join(s.folder, "tls", "tls.crt"), pair[0])
		put(t, filepath.Join(s.folder, "tls", "tls.key"), pair[1])
	}
	use(pairs[0])
	r := start(t, s.write(t))
	client := newClient(t)
	transport := client.Transport.(*http.Transport)
	transport.TLSClientConfig, transport.DisableKeepAlives = &tls.Config{RootCAs: roots, ServerName: certificate.Name}, true
	ctx, stop := context.WithCancel(t.Context())
	calls, made := new(errgroup.Group), new(atomic.Int64)
	for range 4 {
		calls.Go(func() error {
			for ctx.Err() == nil {
				if code, err := secureCall(client, r); err != nil || code != http.StatusOK {
					return fmt.Errorf("%d, %w", code, err)
				}
				made.Add(1)
			}
			return nil
		})
	}
	for i := range 9 {
		next, before := pairs[(i+1)%3], made.Load()
		use(next) // for a moment the certificate has another one's key
		poll.Until(t, "the next certificate", func() bool { return trusts(r, next[0]) == nil })
		poll.Until(t, "further calls", func() bool { return made.Load() > before+8 || ctx.Err() != nil })
	}
	stop()
	if err := calls.Wait(); err != nil {
		t.Errorf("a call was dropped: %v", err)
	}
}

// TestAnExpiredCertificateIsServed: callers judge it, and one that pins it or looks away is still served.
func TestAnExpiredCertificateIsServed(t *testing.T) {
	t.Parallel()
	s := newSettings(t, channelSettings{name: shopA, sink: newReceiver(t).URL})
	s.server = "tls: {certFile: tls/tls.crt, keyFile: tls/tls.key}"
	cert, key := certificate.Expired(t)
	put(t, filepath.Join(s.folder, "tls", "tls.crt"), cert)
	put(t, filepath.Join(s.folder, "tls", "tls.key"), key)
	r := start(t, s.write(t))
	client := newClient(t)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	if code, err := secureCall(client, r); err != nil || code != http.StatusOK {
		t.Errorf("%d, %v", code, err)
	}
	if logged := r.logged(); !strings.Contains(logged, "expired") || !strings.Contains(logged, "server.tls.certFile") {
		t.Errorf("no warning in\n%s", logged)
	}
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

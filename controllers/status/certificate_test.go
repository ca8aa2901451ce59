package status_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

func TestReadCertificate(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	until := from.AddDate(0, 3, 0)
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"*.example.com"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, c := range map[string]struct {
		chain   []byte
		host    string
		problem string
	}{
		"good":           {chain: good, host: "hooks.example.com"},
		"a chain":        {chain: bytes.Repeat(good, 3), host: "hooks.example.com"},
		"after its key":  {chain: append([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), good...)},
		"another host's": {chain: good, host: "hooks.example.org", problem: "not for hooks.example.org"},
		"any host's":     {chain: good},
		"absent":         {host: "hooks.example.com", problem: "no certificate"},
		"a key":          {chain: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), host: "h", problem: "no certificate"},
		"damaged":        {chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der[:99]}), host: "h", problem: "cannot be read"},
		"huge":           {chain: bytes.Repeat(good, 1000), host: "hooks.example.com", problem: "more than 64 KiB"},
	} {
		got := status.ReadCertificate("hooks-tls", c.chain, c.host)
		if (c.problem == "") != (got.Problem == "") || !strings.Contains(got.Problem, c.problem) {
			t.Errorf("%s: the problem is %q, want %q", name, got.Problem, c.problem)
		}
		if c.problem == "" && (!got.NotBefore.Equal(from) || !got.NotAfter.Equal(until)) {
			t.Errorf("%s: it is valid from %v to %v", name, got.NotBefore, got.NotAfter)
		}
	}
}

// TestReadPair: a Secret without the certificate's own key serves nothing, and its key is not quoted.
func TestReadPair(t *testing.T) {
	key, other := newKey(t), newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"hooks.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, c := range map[string]struct{ key, problem string }{
		"good":                    {key: encoded(t, key)},
		"absent":                  {problem: "no private key under tls.key"},
		"another certificate's":   {key: encoded(t, other), problem: "under tls.key that is not its certificate's"},
		"no key":                  {key: "Hidden0Private0Key", problem: "under tls.key"},
		"damaged":                 {key: encoded(t, key)[:99], problem: "under tls.key"},
		"a certificate once more": {key: string(chain), problem: "under tls.key"},
		"huge":                    {key: strings.Repeat(encoded(t, key), 100), problem: "more than 16 KiB under tls.key"},
	} {
		got := status.ReadPair("hooks-tls", map[string][]byte{"tls.crt": chain, "tls.key": []byte(c.key)}, "hooks.example.com")
		if (c.problem == "") != (got.Problem == "") || !strings.Contains(got.Problem, c.problem) || strings.Contains(got.Problem, "Hidden") {
			t.Errorf("%s: the problem is %q, want %q", name, got.Problem, c.problem)
		}
		if got.NotAfter.IsZero() {
			t.Errorf("%s: the certificate itself was not read", name)
		}
	}
	alone := map[string][]byte{"tls.key": []byte(encoded(t, key))}
	if got := status.ReadPair("hooks-tls", alone, ""); !strings.Contains(got.Problem, "tls.crt") {
		t.Errorf("without a certificate the problem is %q", got.Problem)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encoded(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestCertificateLookAgain: a certificate is judged again when time changes the judgement, and twice a day in case the
// clock jumps.
func TestCertificateLookAgain(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	c := status.Certificate{NotBefore: from, NotAfter: from.AddDate(0, 0, 90)}
	for at, want := range map[time.Time]time.Duration{
		from.Add(-time.Minute):                         time.Minute,
		from.Add(time.Minute):                          12 * time.Hour,
		c.NotAfter.Add(-14*24*time.Hour - time.Minute): time.Minute,
		c.NotAfter.Add(-time.Minute):                   time.Minute + time.Second,
		c.NotAfter.Add(time.Minute):                    0,
	} {
		if got := c.LookAgain(at); got != want {
			t.Errorf("at %v: again after %v, want %v", at, got, want)
		}
	}
	if got := (status.Certificate{Unread: true}).LookAgain(from); got != time.Minute {
		t.Errorf("if it could not be read: again after %v", got)
	}
	if got := (status.Certificate{Problem: "is missing"}).LookAgain(from); got != 0 {
		t.Errorf("if the Secret is missing: again after %v", got)
	}
}

// Package certificate makes certificates for tests of TLS.
package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// Name is the host name in certificates.
const Name = "connector.test"

// New is Make for a test.
func New(tb testing.TB, serial int64) (cert, key string) {
	tb.Helper()
	cert, key, err := Make(serial)
	if err != nil {
		tb.Fatal(err)
	}
	return cert, key
}

// Expired returns such a certificate that ended a minute ago.
func Expired(tb testing.TB) (cert, key string) {
	tb.Helper()
	return Between(tb, time.Time{}, time.Now().Add(-time.Minute))
}

// Between returns such a certificate that is valid from one time to another.
func Between(tb testing.TB, from, until time.Time) (cert, key string) {
	tb.Helper()
	cert, key, err := between(from, until, 1, Name)
	if err != nil {
		tb.Fatal(err)
	}
	return cert, key
}

// valid is for how long certificates are valid: long enough that nobody is told of their end.
const valid = 60 * 24 * time.Hour

// Make returns a self-signed certificate of the given serial number and host names, and its key, both in PEM. Without
// names it is for Name.
func Make(serial int64, names ...string) (cert, key string, err error) {
	if len(names) == 0 {
		names = []string{Name}
	}
	return between(time.Time{}, time.Now().Add(valid), serial, names...)
}

func between(from, until time.Time, serial int64, names ...string) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: names, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", raw), err
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

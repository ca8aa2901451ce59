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
	cert, key, err := until(time.Now().Add(-time.Minute), 1, Name)
	if err != nil {
		tb.Fatal(err)
	}
	return cert, key
}

// Make returns a self-signed certificate of the given serial number and host names, valid for an hour, and its key, both
// in PEM. Without names it is for Name.
func Make(serial int64, names ...string) (cert, key string, err error) {
	if len(names) == 0 {
		names = []string{Name}
	}
	return until(time.Now().Add(time.Hour), serial, names...)
}

func until(end time.Time, serial int64, names ...string) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: names, NotAfter: end}
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

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

// Name is the host name in every certificate.
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

// Make returns a self-signed certificate of the given serial number, valid for an hour, and its key, both in PEM.
func Make(serial int64) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{Name}, NotAfter: time.Now().Add(time.Hour)}
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

package status

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/connector/config"
)

const (
	// certificateAgain bounds the time until a certificate is judged again: a clock may jump.
	certificateAgain = 12 * time.Hour
	// maxCertificate bounds the certificates that are read, in bytes.
	maxCertificate = 64 << 10
	// maxPrivateKey bounds a private key that is read, in bytes: RSA with 16384 bits has 13 KiB. The time to check one
	// grows with the third power.
	maxPrivateKey = 16 << 10
)

// Certificate is what is known of the certificate in a Secret. It holds nothing of the Secret but the times.
type Certificate struct {
	// Secret is the Secret's name, and Field names it in the resource.
	Secret, Field string
	// Unread reports whether the Secret could not be read.
	Unread bool
	// Problem is what is wrong with it at any time; empty for nothing.
	Problem string
	// NotBefore and NotAfter bound the time in which it is valid; zero if it could not be read.
	NotBefore, NotAfter time.Time
}

// String is the Secret in a message.
func (c Certificate) String() string { return fmt.Sprintf("Secret %q of %s", c.Secret, c.Field) }

// ReadCertificate reads the first certificate of a chain in PEM, which is to be valid for a host; empty for any.
func ReadCertificate(secret string, chain []byte, host string) Certificate {
	c := Certificate{Secret: secret}
	if len(chain) > maxCertificate {
		c.Problem = fmt.Sprintf("has more than %d KiB under tls.crt", maxCertificate>>10)
		return c
	}
	block, rest := pem.Decode(chain)
	for block != nil && block.Type != "CERTIFICATE" { // some have the private key before it
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		c.Problem = "has no certificate in PEM under tls.crt"
		return c
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		c.Problem = "has a certificate under tls.crt that cannot be read"
		return c
	}
	c.NotBefore, c.NotAfter = leaf.NotBefore, leaf.NotAfter
	if host != "" && leaf.VerifyHostname(host) != nil {
		c.Problem = fmt.Sprintf("has a certificate that is not for %s", host)
	}
	return c
}

// ReadPair reads the certificate in a Secret like ReadCertificate. Its private key is to be there; nothing is kept of it.
func ReadPair(secret string, data map[string][]byte, host string) Certificate {
	c := ReadCertificate(secret, data[corev1.TLSCertKey], host)
	if c.Problem == "" {
		c.Problem = keyProblem(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	}
	return c
}

// keyProblem is what is wrong with the private key of a chain; empty for nothing. The library's words stay out: it has
// seen the key.
func keyProblem(chain, key []byte) string {
	if len(key) == 0 {
		return "has no private key under tls.key"
	}
	if len(key) > maxPrivateKey {
		return fmt.Sprintf("has more than %d KiB under tls.key", maxPrivateKey>>10)
	}
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return "has a private key under tls.key that is not its certificate's, or that cannot be read"
	}
	return ""
}

// judge returns what is wrong with the certificate at a time, and otherwise whether it ends soon.
func (c Certificate) judge(now time.Time) (problem string, soon bool) {
	switch {
	case c.Problem != "":
		return c.Problem, false
	case c.NotAfter.IsZero():
		return "", false
	case now.Before(c.NotBefore):
		return "has a certificate that is not valid before " + day(c.NotBefore), false
	case now.After(c.NotAfter):
		return "has a certificate that ended on " + day(c.NotAfter), false
	}
	return "", !now.Before(config.EndsSoon(c.NotBefore, c.NotAfter))
}

// LookAgain is after how long the judgement may be another one; 0 if it stays.
func (c Certificate) LookAgain(now time.Time) time.Duration {
	if c.Unread {
		return time.Minute
	}
	if c.NotAfter.IsZero() {
		return 0
	}
	// A moment later, since the bounds are part of the time in which it is valid.
	next := Soonest(c.NotBefore.Sub(now), config.EndsSoon(c.NotBefore, c.NotAfter).Sub(now), c.NotAfter.Add(time.Second).Sub(now))
	return min(next, certificateAgain)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

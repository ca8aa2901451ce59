package config

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// maxSecretSize bounds a secret's file, in bytes: a larger one is some other
// file.
const maxSecretSize = 64 << 10

// secret reads s and reports whether it can be used.
func (c *checker) secret(at string, s *Secret) bool {
	if (s.Value == "") == (s.File == "") {
		c.addf(at, "set exactly one of value and file")
		return false
	}
	if s.File == "" {
		if strings.TrimSpace(s.Value) != s.Value {
			c.addf(at+".value", "must not begin or end with white space")
			return false
		}
		s.revealed = s.Value
		return true
	}
	return c.secretFile(at+".file", s)
}

// secretFile reads s from its file, which the field at names.
func (c *checker) secretFile(at string, s *Secret) bool {
	content, ok := c.open(at, &s.File)
	if !ok {
		return false
	}
	if len(content) > maxSecretSize {
		c.addf(at, "%s is larger than 64 KiB, which no secret is", s.File)
		return false
	}
	s.revealed = strings.TrimSpace(string(content))
	if s.revealed == "" {
		c.addf(at, "%s is empty", s.File)
	}
	return s.revealed != ""
}

// certificate loads a certificate with its key, or reports why it cannot.
func (c *checker) certificate(at string, certFile, keyFile *string) *tls.Certificate {
	chain, ok := c.open(at+".certFile", certFile)
	key, ok2 := c.open(at+".keyFile", keyFile)
	if !ok || !ok2 {
		return nil
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		c.addf(at+".certFile", "%s and %s are no pair of certificate and key: %s", *certFile, *keyFile, strings.TrimPrefix(err.Error(), "tls: "))
		return nil
	}
	return &pair
}

// sinkTLS loads the files of t into its configuration.
func (c *checker) sinkTLS(at string, t *SinkTLS) {
	t.client = &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		if bundle, ok := c.open(at+".caFile", &t.CAFile); ok {
			t.client.RootCAs = x509.NewCertPool()
			if !t.client.RootCAs.AppendCertsFromPEM(bundle) {
				c.addf(at+".caFile", "%s holds no PEM certificate", t.CAFile)
			}
		}
	}
	switch {
	case t.CertFile == "" && t.KeyFile == "":
	case t.CertFile == "" || t.KeyFile == "":
		c.addf(at, "set certFile and keyFile together")
	default:
		if pair := c.certificate(at, &t.CertFile, &t.KeyFile); pair != nil {
			t.client.Certificates = []tls.Certificate{*pair}
		}
	}
	for _, name := range []string{t.CAFile, t.CertFile, t.KeyFile} {
		if name != "" {
			content, _ := c.files.open(name) // a failure was reported above
			t.contents = append(t.contents, content)
		}
	}
}

// Digest identifies what the sink is made of, the contents of its files
// included: sinks with the same digest may share their connections.
func (s Sink) Digest() string {
	h := sha256.New()
	add := func(part []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	text := func(parts ...string) {
		for _, part := range parts {
			add([]byte(part))
		}
	}
	text(string(s.Type), s.HTTP.Target(), time.Duration(s.HTTP.Timeout).String(), s.HTTP.Proxy, string(s.HTTP.LocalAddresses))
	for _, header := range s.HTTP.Headers {
		text("header", header.Name, header.Reveal())
	}
	if s.HTTP.SigningSecret != nil {
		text("signing", s.HTTP.SigningSecret.Reveal())
	}
	if t := s.HTTP.TLS; t != nil {
		text("tls", t.CAFile, t.CertFile, t.KeyFile)
		for _, content := range t.contents {
			add(content)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// open makes a path of the file absolute and returns the file's content. A name
// that leads nowhere is not quoted: it may be the secret itself.
func (c *checker) open(at string, path *string) ([]byte, bool) {
	*path = c.absolute(*path)
	content, err := c.files.open(*path)
	if err != nil {
		c.addf(at, "the file cannot be read: %v (a relative path begins at the folder of this file)", err)
	}
	return content, err == nil
}

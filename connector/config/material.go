package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/connector/digest"
)

// maxSecretSize bounds a secret's file, in bytes: a larger one is some other
// file.
const maxSecretSize = 64 << 10

// key reads a key that lets calls in, and reports whether it can be used.
func (c *checker) key(at string, s *Secret) bool {
	return c.read(at, s, c.keyFile)
}

// secret reads a secret that is sent, and reports whether it can be used.
func (c *checker) secret(at string, s *Secret) bool {
	return c.read(at, s, c.secretFile)
}

func (c *checker) read(at string, s *Secret, fromFile func(at string, s *Secret)) bool {
	switch {
	case !oneSet(s.Value != "", s.File != "", s.Missing):
		c.addf(at, "set exactly one of value, file and missing")
	case s.Missing:
		c.lackf(at, "%s is not there", cmp.Or(s.Source, "it"))
	case s.File != "":
		fromFile(at+".file", s)
	case strings.TrimSpace(s.Value) != s.Value:
		c.addf(at+".value", "must not begin or end with white space")
	default:
		s.revealed = s.Value
	}
	return s.revealed != ""
}

// secretFile reads s from its file, which the field at names. A file that holds no
// secret refuses nothing else: the version may be the one that removes another key.
func (c *checker) secretFile(at string, s *Secret) {
	if err := c.reveal(s); err != nil {
		c.lackf(at, "%v", err)
	}
}

// keyFile reads the key s from its file, which the field at names. The key of the
// version before stays in use for a while if the file is absent, blank or not for us to
// read, and for as long as the disk fails to read it. It is out of use at once if the
// file was replaced by something else.
func (c *checker) keyFile(at string, s *Secret) {
	err := c.reveal(s)
	last := c.before.keyFiles[s.File]
	switch {
	case err == nil:
	case last == "" || isAny(err, errLarge, errHuge, errNotRegular):
		c.lackf(at, "%v", err)
	case isAny(err, errBlank, fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR, syscall.ELOOP):
		c.keep(at, s, last, err)
	default:
		c.lackf(at, "%v: the last key stays in use until it can", err)
		s.revealed = last
	}
	c.inUse.keyFiles[s.File] = s.revealed
}

func isAny(err error, known ...error) bool {
	return slices.ContainsFunc(known, func(one error) bool { return errors.Is(err, one) })
}

// keep keeps a key in use whose file is absent, until its grace has ended.
func (c *checker) keep(at string, s *Secret, last string, err error) {
	until := c.absences.until(s.File)
	c.inUse.absent = append(c.inUse.absent, s.File)
	if !time.Now().Before(until) {
		c.lackf(at, "%v: the key is out of use", err)
		return
	}
	c.lackf(at, "%v: the key stays in use until %s", err, until.UTC().Format(time.RFC3339))
	s.revealed = last
}

// The reasons why a file holds no secret that can be used.
var (
	errBlank = errors.New("is empty")
	errLarge = errors.New("is larger than 64 KiB, which no secret is")
)

// reveal reads s from its file.
func (c *checker) reveal(s *Secret) error {
	s.File = c.absolute(s.File)
	content, err := c.files.open(s.File)
	revealed := strings.TrimSpace(string(content))
	switch {
	case err != nil:
		return fmt.Errorf("the file cannot be read: %w (a relative path begins at the folder of this file)", err)
	case len(content) > maxSecretSize:
		return fmt.Errorf("%s %w", s.File, errLarge)
	case revealed == "":
		return fmt.Errorf("%s %w", s.File, errBlank)
	}
	s.Source, s.revealed = cmp.Or(s.Source, s.File), revealed
	return nil
}

// unfitf takes a secret out of use that cannot be what it is meant to be. One in the
// configuration file itself refuses the file, as any mistake in it does.
func (c *checker) unfitf(at string, s *Secret, format string, args ...any) {
	s.revealed = ""
	delete(c.inUse.keyFiles, s.File)
	if s.File != "" {
		c.lackf(at+".file", format, args...)
		return
	}
	c.addf(at, format, args...)
}

// oneSet reports whether exactly one of the conditions holds.
func oneSet(conditions ...bool) bool {
	return len(slices.DeleteFunc(conditions, func(holds bool) bool { return !holds })) == 1
}

// namedFile is a field of the configuration file that names another one.
type namedFile struct {
	field string
	path  *string
}

// material returns the contents of certificate files that fit together. If they do
// not, it says so and returns those of the last version in which they did, so that a
// certificate that is renewed badly keeps nothing else from being used; nil when
// there was none.
func (c *checker) material(fit func(contents [][]byte) error, files ...namedFile) [][]byte {
	contents, ok := c.contents(files)
	if ok {
		if err := fit(contents); err != nil {
			c.lackf(files[0].field, "%v", err)
			ok = false
		}
	}
	if !ok {
		contents = c.lastGood(files)
	}
	if contents != nil {
		for i, f := range files {
			c.inUse.certificates[*f.path] = contents[i]
		}
	}
	return contents
}

// contents reads files, whose paths it makes absolute. A name that leads nowhere is
// not quoted: it may be the secret itself.
func (c *checker) contents(files []namedFile) (contents [][]byte, ok bool) {
	ok = true
	for _, f := range files {
		*f.path = c.absolute(*f.path)
		content, err := c.files.open(*f.path)
		if err != nil {
			c.lackf(f.field, "the file cannot be read: %v (a relative path begins at the folder of this file)", err)
			ok = false
		}
		contents = append(contents, content)
	}
	return contents, ok
}

// lastGood returns what the version in use has of files, nil unless it has all.
func (c *checker) lastGood(files []namedFile) (contents [][]byte) {
	for _, f := range files {
		content, ok := c.before.certificates[*f.path]
		if !ok {
			return nil
		}
		contents = append(contents, content)
	}
	return contents
}

// pair returns a certificate with its key, nil when there is no good one.
func (c *checker) pair(at string, certFile, keyFile *string) *tls.Certificate {
	contents := c.material(func(contents [][]byte) error {
		_, err := tls.X509KeyPair(contents[0], contents[1])
		if err != nil {
			return fmt.Errorf("%s and %s are no pair of certificate and key: %s", *certFile, *keyFile, strings.TrimPrefix(err.Error(), "tls: "))
		}
		return nil
	}, namedFile{at + ".certFile", certFile}, namedFile{at + ".keyFile", keyFile})
	if contents == nil {
		return nil
	}
	loaded, _ := tls.X509KeyPair(contents[0], contents[1]) // it fits, or did before
	return &loaded
}

// authorities returns a bundle of certificate authorities, nil when there is no good
// one.
func (c *checker) authorities(at string, file *string) *x509.CertPool {
	contents := c.material(func(contents [][]byte) error {
		if !x509.NewCertPool().AppendCertsFromPEM(contents[0]) {
			return fmt.Errorf("%s holds no PEM certificate", *file)
		}
		return nil
	}, namedFile{at, file})
	if contents == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(contents[0])
	return pool
}

// sinkTLS loads the files of a sink into its configuration.
func (c *checker) sinkTLS(at string, h *HTTPSink) {
	t := h.TLS
	t.client = &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		if t.client.RootCAs = c.authorities(at+".caFile", &t.CAFile); t.client.RootCAs == nil {
			h.lacks = append(h.lacks, at+".caFile")
		}
	}
	switch {
	case t.CertFile == "" && t.KeyFile == "":
	case t.CertFile == "" || t.KeyFile == "":
		c.addf(at, "set certFile and keyFile together")
	default:
		if pair := c.pair(at, &t.CertFile, &t.KeyFile); pair != nil {
			t.client.Certificates = []tls.Certificate{*pair}
		} else {
			h.lacks = append(h.lacks, at+".certFile")
		}
	}
	for _, name := range []string{t.CAFile, t.CertFile, t.KeyFile} {
		t.contents = append(t.contents, c.inUse.certificates[name])
	}
}

// Digest identifies what the sink is made of, the contents of its files
// included: sinks with the same digest may share their connections.
func (s Sink) Digest() string {
	parts := [][]byte{[]byte(s.Type), []byte(s.HTTP.Target()), fmt.Append(nil, s.HTTP.Timeout), []byte(s.HTTP.Proxy), []byte(s.HTTP.LocalAddresses)}
	for _, header := range s.HTTP.Headers {
		parts = append(parts, []byte("header"), []byte(header.Name), []byte(header.Reveal()))
	}
	if s.HTTP.SigningSecret != nil {
		parts = append(parts, []byte("signing"), []byte(s.HTTP.SigningSecret.Reveal()))
	}
	if t := s.HTTP.TLS; t != nil {
		parts = append(append(parts, []byte("tls"), []byte(t.CAFile), []byte(t.CertFile), []byte(t.KeyFile)), t.contents...)
	}
	sum := digest.Of(parts...)
	return hex.EncodeToString(sum[:])
}

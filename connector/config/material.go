package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"
)

// MaxSecretSize bounds a secret's file, in bytes: a larger one is some other
// file.
const MaxSecretSize = 64 << 10

// Key reads a key that lets calls in, and reports whether it can be used.
func (c *Checker) Key(field string, s *Secret) bool { return c.read(field, s, c.keyFile) }

// SigningKey reads a key that calls are verified with, and reports whether it can be
// used. It may be no API key. Name and origin say in messages what it is called, and
// where the platform shows it.
func (c *Checker) SigningKey(field string, s *Secret, name, origin string) bool {
	usable := c.Key(field, s)
	if usable {
		c.signing = append(c.signing, claim{c.Path(field), s, name, origin})
	}
	return usable
}

// Secret reads a secret that is sent, and reports whether it can be used.
func (c *Checker) Secret(field string, s *Secret) bool { return c.read(field, s, c.secretFile) }

// File reads a text that is a secret, and nothing more than that, from a file; empty if
// it cannot be used.
func (c *Checker) File(field, path string) string {
	s := Secret{File: path}
	c.secretFile(field, &s)
	return s.revealed
}

func (c *Checker) read(at string, s *Secret, fromFile func(at string, s *Secret)) bool {
	switch {
	case !oneSet(s.Value != "", s.File != "", s.Missing):
		c.Problemf(at, "set exactly one of value, file and missing")
	case s.Missing:
		c.Lackf(at, "%s is not there", cmp.Or(s.Source, "it"))
	case s.File != "":
		fromFile(at+".file", s)
	case strings.TrimSpace(s.Value) != s.Value:
		c.Problemf(at+".value", "must not begin or end with white space")
	default:
		s.revealed = s.Value
	}
	return s.revealed != ""
}

// secretFile reads s from its file, which the field at names. A file that holds no
// secret refuses nothing else: the version may be the one that removes another key.
func (c *Checker) secretFile(at string, s *Secret) {
	if err := c.reveal(s); err != nil {
		c.Lackf(at, "%v", err)
	}
}

// keyFile reads the key s from its file, which the field at names. The key of the
// version before stays in use for a while if the file is absent, blank or not for us to
// read, and for as long as the disk fails to read it. It is out of use at once if the
// file was replaced by something else.
func (c *Checker) keyFile(at string, s *Secret) {
	err := c.reveal(s)
	last := c.before.keyFiles[s.File]
	switch {
	case err == nil:
	case last == "" || isAny(err, errLarge, errHuge, errNotRegular):
		c.Lackf(at, "%v", err)
	case isAny(err, errBlank, fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR, syscall.ELOOP):
		c.keep(at, s, last, err)
	default:
		c.Lackf(at, "%v: the last key stays in use until it can", err)
		s.revealed = last
	}
	c.inUse.keyFiles[s.File] = s.revealed
}

func isAny(err error, known ...error) bool {
	return slices.ContainsFunc(known, func(one error) bool { return errors.Is(err, one) })
}

// keep keeps a key in use whose file is absent, until its grace has ended.
func (c *Checker) keep(at string, s *Secret, last string, err error) {
	until := c.absences.until(s.File)
	c.inUse.absent = append(c.inUse.absent, s.File)
	if !time.Now().Before(until) {
		c.Lackf(at, "%v: the key is out of use", err)
		return
	}
	c.Lackf(at, "%v: the key stays in use until %s", err, until.UTC().Format(time.RFC3339))
	s.revealed = last
}

// The reasons why a file holds no secret that can be used.
var (
	errBlank = errors.New("is empty")
	errLarge = errors.New("is larger than 64 KiB, which no secret is")
)

// reveal reads s from its file.
func (c *Checker) reveal(s *Secret) error {
	content, err := c.files.open(s.File)
	revealed := strings.TrimSpace(string(content))
	switch {
	case err != nil:
		return fmt.Errorf("the file cannot be read: %w (a relative path begins at the folder of this file)", err)
	case len(content) > MaxSecretSize:
		return fmt.Errorf("%s %w", s.File, errLarge)
	case revealed == "":
		return fmt.Errorf("%s %w", s.File, errBlank)
	}
	s.Source, s.revealed = cmp.Or(s.Source, s.File), revealed
	return nil
}

// Unfitf takes a secret out of use that cannot be what it is meant to be. One in the
// configuration file itself refuses the file, as any mistake in it does.
func (c *Checker) Unfitf(field string, s *Secret, format string, args ...any) {
	s.revealed = ""
	delete(c.inUse.keyFiles, s.File)
	if s.File != "" {
		c.Lackf(field+".file", format, args...)
		return
	}
	c.Problemf(field, format, args...)
}

// oneSet reports whether exactly one of the conditions holds.
func oneSet(conditions ...bool) bool {
	return len(slices.DeleteFunc(conditions, func(holds bool) bool { return !holds })) == 1
}

// namedFile is a field of the configuration file that names another one.
type namedFile struct {
	field, path string
}

// material returns the contents of certificate files that fit together. If they do
// not, it says so and returns those of the last version in which they did, so that a
// certificate that is renewed badly keeps nothing else from being used; nil when
// there was none.
func (c *Checker) material(fit func(contents [][]byte) error, files ...namedFile) [][]byte {
	contents, ok := c.contents(files)
	if ok {
		if err := fit(contents); err != nil {
			c.Lackf(files[0].field, "%v", err)
			ok = false
		}
	}
	if !ok {
		contents = c.lastGood(files)
	}
	if contents != nil {
		for i, f := range files {
			c.inUse.certificates[f.path] = contents[i]
		}
	}
	return contents
}

// contents reads files. A name that leads nowhere is not quoted: it may be the secret
// itself.
func (c *Checker) contents(files []namedFile) (contents [][]byte, ok bool) {
	ok = true
	for _, f := range files {
		content, err := c.files.open(f.path)
		if err != nil {
			c.Lackf(f.field, "the file cannot be read: %v (a relative path begins at the folder of this file)", err)
			ok = false
		}
		contents = append(contents, content)
	}
	return contents, ok
}

// lastGood returns what the version in use has of files, nil unless it has all.
func (c *Checker) lastGood(files []namedFile) (contents [][]byte) {
	for _, f := range files {
		content, ok := c.before.certificates[f.path]
		if !ok {
			return nil
		}
		contents = append(contents, content)
	}
	return contents
}

// Pair returns the certificate and key of two files, nil if there is no good pair.
func (c *Checker) Pair(certField, certFile, keyField, keyFile string) *tls.Certificate {
	contents := c.material(func(contents [][]byte) error {
		if err := CheckPair(contents[0], contents[1]); err != nil {
			return fmt.Errorf("%s and %s are no pair of certificate and key: %w", certFile, keyFile, err)
		}
		return nil
	}, namedFile{certField, certFile}, namedFile{keyField, keyFile})
	if contents == nil {
		return nil
	}
	loaded, _ := tls.X509KeyPair(contents[0], contents[1]) // it fits, or did before
	return &loaded
}

// CheckPair says why a certificate and a key, in PEM, are no pair.
func CheckPair(certificate, key []byte) error {
	if _, err := tls.X509KeyPair(certificate, key); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "tls: "))
	}
	return nil
}

// Authorities returns the certificate authorities of a file, nil if there is no good
// bundle.
func (c *Checker) Authorities(field, file string) *x509.CertPool {
	contents := c.material(func(contents [][]byte) error {
		if !HasAuthorities(contents[0]) {
			return fmt.Errorf("%s holds no PEM certificate", file)
		}
		return nil
	}, namedFile{field, file})
	if contents == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(contents[0])
	return pool
}

// HasAuthorities reports whether a bundle holds a certificate in PEM.
func HasAuthorities(bundle []byte) bool { return x509.NewCertPool().AppendCertsFromPEM(bundle) }

// Loaded returns the content of a certificate's file as it is in use; nil if there is
// none.
func (c *Checker) Loaded(file string) []byte { return c.inUse.certificates[file] }

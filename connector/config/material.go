package config

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// The bounds on a secret and on a bundle of certificates, in bytes without white space around: a larger file is some
// other one.
const (
	MaxSecret = 64 << 10
	MaxBundle = 512 << 10
)

// Key reads a key that lets calls in, and reports whether it can be used. It also finds invisible characters, such as
// the byte order mark of some editors and the zero-width spaces of web pages.
func (c *Checker) Key(field string, s *Secret) bool {
	if c.read(field, s, c.keyFile) && !IsText(s.Reveal(), func(r rune) bool { return r != ' ' && unicode.IsPrint(r) }) {
		c.Unfitf(field, s, "holds white space or invisible characters, or is no text: put the key alone into it, on one line")
	}
	return s.Reveal() != ""
}

// IsText reports whether a value is text of such characters.
func IsText(value string, of func(rune) bool) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, func(r rune) bool { return !of(r) })
}

// SigningKey reads a key that verifies calls, and reports whether it can be used. It must differ from every API key.
// Name and origin are how messages call it, and where the platform shows it.
func (c *Checker) SigningKey(field string, s *Secret, name, origin string) bool {
	usable := c.Key(field, s)
	if usable {
		c.signing = append(c.signing, claim{c.Path(field), s, name, origin})
	}
	return usable
}

// Secret reads a secret that is sent, and reports whether it can be used.
func (c *Checker) Secret(field string, s *Secret) bool { return c.read(field, s, c.secretFile) }

// File returns the secret that a file holds; empty if it cannot be used.
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

// secretFile reads s from the file that the field at names. A file without a secret refuses nothing else, since the
// same version may remove another key.
func (c *Checker) secretFile(at string, s *Secret) {
	if err := c.reveal(s); err != nil {
		c.lack(at, err)
	}
}

// lack says why a file cannot be used.
func (c *Checker) lack(at string, err error) {
	if problem := c.Lackf(at, "%v", err); errors.Is(err, errLarge) {
		problem.Reason = ReasonTooLarge
	}
}

// keyFile reads the key s from the file that the field at names. The key of the version before stays in use for a while
// if the file is absent, blank or forbidden, and for as long as the disk fails. It goes out of use at once if the file
// holds something else.
func (c *Checker) keyFile(at string, s *Secret) {
	err := c.reveal(s)
	last := c.before.keyFiles[s.File]
	switch {
	case err == nil:
	case last == "" || isAny(err, errLarge, errHuge, errNotRegular):
		c.lack(at, err)
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

// keep keeps the key of an absent file in use until its grace ends.
func (c *Checker) keep(at string, s *Secret, last string, err error) {
	until := c.absences.until(s.File)
	c.inUse.absent = append(c.inUse.absent, s.File)
	if c.absences.ended(until) {
		c.Lackf(at, "%v: the key is out of use", err)
		return
	}
	c.Lackf(at, "%v: the key stays in use until %s", err, until.UTC().Format(time.RFC3339))
	s.revealed = last
}

// The reasons why a file holds no secret that can be used.
var (
	errBlank = errors.New("is empty")
	errLarge = errors.New("is larger than")
)

// bounded returns why a file is too large for what it is, nil if it is not.
func bounded(file string, content []byte, bound int) error {
	if len(bytes.TrimSpace(content)) <= bound {
		return nil
	}
	return TooLarge(file, bound)
}

// TooLarge says that a secret is larger than its bound.
func TooLarge(name string, bound int) error {
	return fmt.Errorf("%s %w %d KiB: put the credential alone into it", name, errLarge, bound>>10)
}

// reveal reads s from its file.
func (c *Checker) reveal(s *Secret) error {
	content, err := c.files.open(s.File)
	if err != nil {
		return fmt.Errorf("the file cannot be read: %w (a relative path begins at the folder of this file)", err)
	}
	revealed := strings.TrimSpace(string(content))
	switch err := bounded(s.File, content, MaxSecret); {
	case err != nil:
		return err
	case revealed == "":
		return fmt.Errorf("%s %w", s.File, errBlank)
	}
	s.Source, s.revealed = cmp.Or(s.Source, s.File), revealed
	return nil
}

// Unfitf takes an unfit secret out of use. If it stands in the configuration file itself, it refuses the file, as any
// mistake there does.
func (c *Checker) Unfitf(field string, s *Secret, format string, args ...any) *Problem {
	s.revealed = ""
	delete(c.inUse.keyFiles, s.File)
	if s.File != "" {
		return c.Lackf(field+".file", format, args...)
	}
	return c.Problemf(field, format, args...)
}

// oneSet reports whether exactly one of the conditions holds.
func oneSet(conditions ...bool) bool {
	return len(slices.DeleteFunc(conditions, func(holds bool) bool { return !holds })) == 1
}

// namedFile is a field of the configuration file that names another one.
type namedFile struct {
	field, path string
}

// material returns the contents of certificate files that fit together. If they do not fit, it says so and returns the
// last contents that did, so that a badly renewed certificate keeps nothing else from use; nil if there were none. fit
// returns what is wrong with each file; the content of a file that cannot be read is nil.
func (c *Checker) material(fit func(contents [][]byte) []error, files ...namedFile) [][]byte {
	contents, last, read := make([][]byte, len(files)), make([][]byte, len(files)), make([]bool, len(files))
	good, had := true, true
	for i, f := range files {
		content, err := c.files.open(f.path)
		if err != nil { // a name that leads nowhere is not quoted: it may be the secret itself
			c.Lackf(f.field, "the file cannot be read: %v (a relative path begins at the folder of this file)", err)
			content, good = nil, false
		}
		read[i] = err == nil
		before, ok := c.before.certificates[f.path]
		contents[i], last[i], had = content, before, had && ok
	}
	misfits := fit(contents)
	for i, f := range files {
		if read[i] && misfits[i] != nil {
			c.lack(f.field, misfits[i])
			good = false
		}
	}
	if !good {
		contents = last
	}
	if !good && !had {
		return nil
	}
	for i, f := range files {
		c.inUse.certificates[f.path] = contents[i]
	}
	return contents
}

// Pair returns the certificate and key of two files, nil if there is no good pair.
func (c *Checker) Pair(certField, certFile, keyField, keyFile string) *tls.Certificate {
	contents := c.material(func(contents [][]byte) []error {
		noCert := cmp.Or(bounded(certFile, contents[0], MaxSecret), firstCertificate(certFile, contents[0]))
		noKey := bounded(keyFile, contents[1], MaxSecret)
		if noCert != nil || noKey != nil {
			return []error{noCert, noKey}
		}
		if _, err := tls.X509KeyPair(contents[0], contents[1]); err != nil {
			noKey = fmt.Errorf("%s is not the private key, in PEM, of the certificate in %s: put a matching pair there", keyFile, certFile)
		}
		return []error{nil, noKey}
	}, namedFile{certField, certFile}, namedFile{keyField, keyFile})
	if contents == nil {
		return nil
	}
	loaded, _ := tls.X509KeyPair(contents[0], contents[1]) // it fits, or did before
	c.valid(certField, loaded.Leaf, time.Now())
	return &loaded
}

// certificateEnds is how long before its end a certificate is told of, certificateQuarter the part of a shorter life.
const certificateEnds, certificateQuarter = 14 * 24 * time.Hour, 4

// EndsSoon is when the end of a certificate, by its times, is near enough to be told of. Programs that renew one do so
// earlier: often when a third of its life is left, which may be hours.
func EndsSoon(from, until time.Time) time.Time {
	return until.Add(-min(certificateEnds, until.Sub(from)/certificateQuarter))
}

// valid warns of a certificate by its times. It is used nevertheless: the other side judges it by a clock of its own.
func (c *Checker) valid(field string, leaf *x509.Certificate, now time.Time) {
	from, until := leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case now.Before(leaf.NotBefore):
		c.Warnf(field, "is not valid before %s: until then the other side refuses the connection", from).Reason = ReasonNotYetValid
	case now.After(leaf.NotAfter):
		c.Warnf(field, "expired at %s: renew it, or the other side refuses the connection", until).Reason = ReasonExpired
	case !now.Before(EndsSoon(leaf.NotBefore, leaf.NotAfter)):
		c.Warnf(field, "ends at %s: renew it", until).Reason = ReasonExpiring
	}
}

// firstCertificate returns the error of a file whose first certificate cannot be read. Other blocks may stand before
// it, even a private key.
func firstCertificate(file string, content []byte) error {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			if _, err := x509.ParseCertificate(block.Bytes); err == nil {
				return nil
			}
			break
		}
	}
	return fmt.Errorf("%s holds no certificate in PEM: write a \"BEGIN CERTIFICATE\" block", file)
}

// Authorities returns the certificate authorities of a file, nil if there is no good bundle.
func (c *Checker) Authorities(field, file string) *x509.CertPool {
	contents := c.material(func(contents [][]byte) []error {
		err := bounded(file, contents[0], MaxBundle)
		if err == nil && !x509.NewCertPool().AppendCertsFromPEM(contents[0]) {
			err = fmt.Errorf("%s holds no certificate in PEM: write a bundle of \"BEGIN CERTIFICATE\" blocks", file)
		}
		return []error{err}
	}, namedFile{field, file})
	if contents == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(contents[0])
	return pool
}

// Loaded returns the content in use of a certificate's file; nil if there is none.
func (c *Checker) Loaded(file string) []byte { return c.inUse.certificates[file] }

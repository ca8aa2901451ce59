package config

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// Load reads and checks the configuration file at path and every file that it names. It knows no types but those given.
// The error is an *Error with every problem.
func Load(path string, types Types) (*Config, error) {
	return load(newChecker(path, types, newFiles(readFile)), nil)
}

// LoadFrom is Load of files that need not exist: read returns the content at an absolute path, or why it cannot be
// read. A program can so check a configuration before its use. A certificate of the server that cannot be used is a lack
// here, as any other is; Load refuses it, because nothing can be served without it.
func LoadFrom(path string, types Types, read func(path string) ([]byte, error)) (*Config, error) {
	check := newChecker(path, types, newFiles(read))
	check.trial = true
	return load(check, nil)
}

// Encode returns the configuration as YAML that Load accepts. Empty fields are left out, so that their defaults apply;
// secrets are written out.
func (c *Config) Encode() ([]byte, error) {
	var document bytes.Buffer
	encoder := yaml.NewEncoder(&document)
	// With another indentation the library cannot read back a text that begins with a line break.
	encoder.SetIndent(2)
	err := encoder.Encode(c)
	return document.Bytes(), err
}

// Digest identifies the version in use: 16 lower-case hex digits of the SHA-256 over the configuration file and every
// file that it names.
func (c *Config) Digest() string { return c.digest }

// Files returns the absolute paths of the configuration file and of every file that it names, each once.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// LoadAdmin returns the section admin of the configuration file at path, with its default. The rest of the file may be
// wrong, and its secrets unreadable: the connector then serves its last good version, and its operator must be able to
// look into it.
func LoadAdmin(path string, types Types) (Admin, error) {
	check := newChecker(path, types, newFiles(readFile))
	c, err := check.decode()
	if err != nil {
		return Admin{}, err
	}
	check.inbox(c)
	check.listeners(c)
	check.admin(c.Admin)
	if c.Admin != (Admin{}) { // else the inbox's problems are in the way of the default
		check.problems = slices.DeleteFunc(check.problems, func(p Problem) bool {
			return p.Path != "" && p.Path != fieldAdmin && enclosing(p.Path) != fieldAdmin
		})
	}
	return c.Admin, check.err()
}

// Warnings returns the fields that can be used but are seldom meant so, such as a short key, in the order of the
// checks. They hold no secret.
func (c *Config) Warnings() []Problem { return slices.Clone(c.warnings) }

// Lacks returns the secrets that are missing or cannot be used, in the order of the checks. The problems quote no
// secret.
func (c *Config) Lacks() []Problem { return slices.Clone(c.lacks) }

// same reports whether two versions and the keys from their files are the same.
func (c *Config) same(other *Config) bool {
	return c.digest == other.digest && maps.Equal(c.materials.keyFiles, other.materials.keyFiles)
}

// load reads one version with its checker. If current is set, the sections that are read at start only must be as in
// current, and the checker has the times since when key files are absent.
func load(check *Checker, current *Config) (*Config, error) {
	c, err := check.decode()
	if err != nil {
		return nil, err
	}
	if current != nil {
		check.before = current.materials
	}
	check.config(c)
	if current != nil {
		check.unchangeable(current, c)
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	c.digest, c.files = check.files.digest(), check.files.names
	c.warnings, c.lacks, c.materials = check.warnings, check.lacks, check.inUse
	c.types = check.types
	return c, nil
}

// decode reads the file over the defaults, and completes it. An error means that nothing of it can be checked.
func (v *version) decode() (*Config, error) {
	absolute, err := filepath.Abs(v.file)
	if err != nil {
		return nil, v.unreadable(0, err.Error())
	}
	content, err := v.files.open(absolute)
	if err != nil {
		return nil, v.unreadable(0, "cannot be read: "+err.Error())
	}
	if err := v.parse(content); err != nil {
		return nil, err
	}
	c := &Config{document: content}
	setDefaults(reflect.ValueOf(c).Elem())
	d := decoder{report: v.report, types: v.types, members: map[reflect.Type]map[string]member{}}
	d.decode(v.root, reflect.ValueOf(c).Elem(), "")
	if v.misread[""] {
		return nil, v.err()
	}
	c.complete(filepath.Dir(absolute), v.types, d.paths)
	return c, nil
}

// unreadable returns the error of a file of which nothing can be checked. A line of 0 stands for the file as a whole.
func (r *report) unreadable(line int, message string) error {
	return &Error{[]Problem{{File: r.file, Line: line, Message: message}}}
}

// parse sets the root of the one document in content.
func (r *report) parse(content []byte) error {
	var document, further yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) || err == nil && isNull(document.Content[0]) {
		return r.unreadable(0, "the file is empty")
	}
	if err == nil {
		err = decoder.Decode(&further)
	}
	switch {
	case err == nil:
		return r.unreadable(further.Line, "a second document: the file must hold one only")
	case !errors.Is(err, io.EOF):
		return r.syntax(err)
	}
	r.root = document.Content[0]
	return nil
}

var (
	yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	// countedFromZero are the errors in which the YAML library counts lines from 0 and omits line 0. Elsewhere it
	// counts from 1.
	countedFromZero = regexp.MustCompile(`^did not find expected (<|node|key|'-'|',')`)
)

// syntax words an error of the YAML parser.
func (r *report) syntax(err error) error {
	message, line := err.Error(), 0
	if found := yamlError.FindStringSubmatch(message); found != nil {
		line, _ = strconv.Atoi(found[1]) // 0 when the parser names none
		message = message[len(found[0]):]
	}
	if strings.HasPrefix(message, "unknown anchor") {
		message = "an alias without an anchor: put a value that begins with * in quotes" // the alias may be a secret
	}
	if countedFromZero.MatchString(message) {
		line++
	}
	return r.unreadable(line, "not YAML: "+message)
}

// unchangeable refuses changes of the sections that are read at start only. The content of server.tls may change.
func (c *Checker) unchangeable(current, next *Config) {
	sections := []struct {
		name     string
		was, now any
	}{
		{"server", current.Server.settings(), next.Server.settings()},
		{"metrics", current.Metrics, next.Metrics},
		{fieldAdmin, current.Admin, next.Admin},
		{"inbox", current.Inbox.AtStart(), next.Inbox.AtStart()},
		{"dispatch", current.Dispatch, next.Dispatch},
		{"stop", current.Stop, next.Stop},
	}
	for _, s := range sections {
		if !reflect.DeepEqual(s.was, s.now) {
			c.Problemf(s.name, "changed: restart the connector to change it")
		}
	}
}

// settings is the section without the loaded certificate.
func (s Server) settings() Server {
	if s.TLS != nil {
		s.TLS = &ServerTLS{CertFile: s.TLS.CertFile, KeyFile: s.TLS.KeyFile}
	}
	return s
}

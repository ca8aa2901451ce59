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

// Load reads and checks the configuration file at path and every file that it
// names. Types are all that the file may name. The error is an *Error with every
// problem that was found.
func Load(path string, types Types) (*Config, error) {
	return LoadFrom(path, types, readFile)
}

// LoadFrom is Load of files that need not exist: read returns the content of the
// file with an absolute path, or why it cannot be read. It is for programs that
// write a configuration and check it before anybody uses it.
func LoadFrom(path string, types Types, read func(path string) ([]byte, error)) (*Config, error) {
	return load(path, types, newFiles(read), nil, nil)
}

// Encode returns the configuration as YAML that Load accepts. What is empty is
// left out, so that its default applies; secrets are written out.
func (c *Config) Encode() ([]byte, error) {
	var document bytes.Buffer
	encoder := yaml.NewEncoder(&document)
	// With another indentation the library writes a text that begins with a line
	// break so that it cannot be read back.
	encoder.SetIndent(2)
	err := encoder.Encode(c)
	return document.Bytes(), err
}

// Digest identifies the version in use: 16 lower-case hex digits of the SHA-256
// over the configuration file and every file that it names.
func (c *Config) Digest() string { return c.digest }

// Files returns the absolute paths of the configuration file and of every file
// that it names, each once.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// LoadAdmin returns the section admin of the configuration file at path, with its
// default. Nothing else of the file need be right, nor its Secrets readable: a
// connector goes on with its last good version, and its operator must see it.
func LoadAdmin(path string, types Types) (Admin, error) {
	r := newReport(path)
	f := newFiles(readFile)
	c, err := r.read(types, f)
	if err != nil {
		return Admin{}, err
	}
	check := newChecker(r, types, f)
	check.inbox(c)
	check.listeners(c)
	check.admin(c.Admin)
	if c.Admin != (Admin{}) { // else the inbox's problems are in the way of the default
		r.problems = slices.DeleteFunc(r.problems, func(p Problem) bool {
			return p.Path != "" && p.Path != fieldAdmin && enclosing(p.Path) != fieldAdmin
		})
	}
	return c.Admin, r.err()
}

// Warnings returns what can be used and is seldom what was meant, such as a short
// key, in the order of the checks. They hold no secret.
func (c *Config) Warnings() []Problem { return slices.Clone(c.warnings) }

// Lacks returns the secrets that are missing or unusable, and are not in use, in the
// order of the checks. They hold no secret.
func (c *Config) Lacks() []Problem { return slices.Clone(c.lacks) }

// same reports whether a version says the same as another one, and takes the same
// from its files.
func (c *Config) same(other *Config) bool {
	return c.digest == other.digest && maps.Equal(c.materials.keyFiles, other.materials.keyFiles)
}

// load reads one version through f. When current is set, what cannot change
// while the connector runs must be as there, and absent tells since when key files
// are.
func load(path string, types Types, f *files, current *Config, absent *absences) (*Config, error) {
	r := newReport(path)
	c, err := r.read(types, f)
	if err != nil {
		return nil, err
	}
	check := newChecker(r, types, f)
	check.absences = absent
	if current != nil {
		check.before = current.materials
	}
	check.config(c)
	if current != nil {
		r.unchangeable(current, c)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	c.digest, c.files, c.warnings, c.lacks, c.materials = f.digest(), f.names, r.warnings, r.lacks, check.inUse
	c.types = types
	return c, nil
}

// read decodes the file over the defaults, and completes it. An error means that
// nothing of it can be checked.
func (r *report) read(types Types, f *files) (*Config, error) {
	absolute, err := filepath.Abs(r.file)
	if err != nil {
		return nil, &Error{[]Problem{{File: r.file, Message: err.Error()}}}
	}
	content, err := f.open(absolute)
	if err != nil {
		return nil, &Error{[]Problem{{File: r.file, Message: "cannot be read: " + err.Error()}}}
	}
	if problem := r.parse(content); problem != nil {
		return nil, &Error{[]Problem{*problem}}
	}
	c := &Config{document: content}
	setDefaults(reflect.ValueOf(c).Elem())
	d := decoder{r, types, map[reflect.Type]map[string]member{}}
	d.decode(r.root, reflect.ValueOf(c).Elem(), "")
	if r.misread[""] {
		return nil, r.err()
	}
	c.complete(filepath.Dir(absolute), types)
	return c, nil
}

// parse sets the root of the one document in content.
func (r *report) parse(content []byte) *Problem {
	var document, further yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return &Problem{File: r.file, Message: "the file is empty"}
	case err != nil:
		return r.syntax(err)
	}
	switch err := decoder.Decode(&further); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return r.syntax(err)
	default:
		return &Problem{File: r.file, Line: further.Line, Message: "a second document: the file must hold one only"}
	}
	r.root = document.Content[0]
	if isNull(r.root) {
		return &Problem{File: r.file, Message: "the file is empty"}
	}
	return nil
}

var (
	yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	// countedFromZero are the errors in which the YAML library counts lines from
	// 0 and leaves line 0 out; in the others it counts from 1.
	countedFromZero = regexp.MustCompile(`^did not find expected (<|node|key|'-'|',')`)
)

// syntax turns an error of the YAML parser into a problem.
func (r *report) syntax(err error) *Problem {
	message := err.Error()
	p := &Problem{File: r.file}
	if found := yamlError.FindStringSubmatch(message); found != nil {
		p.Line, _ = strconv.Atoi(found[1]) // 0 when the parser names none
		message = message[len(found[0]):]
	}
	if strings.HasPrefix(message, "unknown anchor") {
		message = "an alias without an anchor: put a value that begins with * in quotes" // the alias may be a secret
	}
	if countedFromZero.MatchString(message) {
		p.Line++
	}
	p.Message = "not YAML: " + message
	return p
}

// unchangeable reports every section of next that is read at start only and
// differs from current. The content of server.tls may differ.
func (r *report) unchangeable(current, next *Config) {
	sections := []struct {
		name     string
		was, now any
	}{
		{"server", current.Server.settings(), next.Server.settings()},
		{"metrics", current.Metrics, next.Metrics},
		{fieldAdmin, current.Admin, next.Admin},
		{"inbox", current.Inbox, next.Inbox},
		{"dispatch", current.Dispatch, next.Dispatch},
		{"stop", current.Stop, next.Stop},
	}
	for _, s := range sections {
		if !reflect.DeepEqual(s.was, s.now) {
			r.addf(s.name, "changed: restart the connector to change it")
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

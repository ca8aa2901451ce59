package config

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Checker collects the problems of a version of the file, and reads the secrets and files that it names. The checker of
// a section takes the names of fields in that section, for example "signature.secretKeys[0]". No message may quote a
// secret, or a value that may be one.
type Checker struct {
	*version

	// at is the section's own path, empty for the file as a whole.
	at string
}

// version is shared by the checkers of one version.
type version struct {
	*report

	types Types
	files *files
	// keys are the API keys by digest, signing those that verify calls.
	keys    map[[sha256.Size]byte]claim
	signing []claim
	// inUse is taken from the files by this version; before was taken by the version in use.
	inUse, before materials
	absences      *absences
	// trial: the version is not served, see LoadFrom.
	trial bool
}

func newChecker(path string, types Types, f *files) *Checker {
	return &Checker{version: &version{
		report: &report{file: path, misread: map[string]bool{}, suspect: map[string]bool{}},
		types:  types, files: f, keys: map[[sha256.Size]byte]claim{},
		inUse: materials{keyFiles: map[string]string{}, certificates: map[string][]byte{}},
	}}
}

// within returns the checker of a section.
func (c *Checker) within(section string) *Checker { return &Checker{c.version, c.Path(section)} }

// Path returns a field's path in the file.
func (c *Checker) Path(field string) string { return join(c.at, field) }

// Problemf refuses the version because of a field, which is present or missing. The caller may set the reason of the
// problem, here and below.
func (c *Checker) Problemf(field, format string, args ...any) *Problem {
	return c.addf(&c.problems, c.Path(field), format, args...)
}

// Warnf warns of a field that can be used but is seldom meant so.
func (c *Checker) Warnf(field, format string, args ...any) *Problem {
	return c.addf(&c.warnings, c.Path(field), format, args...)
}

// Lackf reports a field whose secret cannot be used. It refuses nothing else.
func (c *Checker) Lackf(field, format string, args ...any) *Problem {
	return c.addf(&c.lacks, c.Path(field), format, args...)
}

// Required reports whether value is set, and adds a problem if it is not.
func (c *Checker) Required(field, value string) bool {
	if value == "" {
		c.Problemf(field, "required")
	}
	return value != ""
}

// OneOf checks a value of a fixed list.
func (c *Checker) OneOf(field string, value any, allowed ...any) {
	if slices.Contains(allowed, value) {
		return
	}
	quoted := make([]string, len(allowed))
	for i, a := range allowed {
		quoted[i] = strconv.Quote(fmt.Sprint(a))
	}
	c.Problemf(field, "want %s", strings.Join(quoted, " or "))
}

// Between checks a number from lowest to highest.
func (c *Checker) Between(field string, value, lowest, highest int) {
	if value < lowest || value > highest {
		c.Problemf(field, "want %d to %d, not %d", lowest, highest, value)
	}
}

// Positive checks a time span.
func (c *Checker) Positive(field string, d Duration) {
	if d <= 0 {
		c.Problemf(field, "must be longer than 0s")
	}
}

// Unique checks that value stands only once; used maps the values so far to their paths.
func (c *Checker) Unique(field, value string, used map[string]string) {
	if first, again := used[value]; again && value != "" {
		c.Problemf(field, "the same as %s: it must be unique", first)
		return
	}
	used[value] = c.Path(field)
}

// union checks the name of a type and the section of that type.
func (c *Checker) union(at string, types []Type, name string, section Section) {
	allowed := make([]any, len(types))
	for i, t := range types {
		allowed[i] = t.Name
	}
	c.OneOf(at+".type", name, allowed...)
	if section != nil {
		section.Check(c.within(at + "." + owner(types, section).Member()))
	} else if t := named(types, name); t.Name != "" {
		c.Problemf(at+"."+t.Member(), "required for type %s", name)
	}
}

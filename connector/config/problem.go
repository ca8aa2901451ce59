package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong with a configuration file.
type Problem struct {
	// File is the configuration file as it was named to Load.
	File string
	// Line is that of the field, or of the nearest enclosing field if it is missing; 0 for the file as a whole.
	Line int
	// Path is the field, for example "channels[0].sink.http.url"; empty for the file as a whole.
	Path string
	// Message says what is wrong and what is wanted. It holds no secret. The message on a secret begins with a verb, or
	// with the path of its file.
	Message string
	// Reason tells programs what is wrong with a secret: one of those below, or empty if it is unfit for its
	// use.
	Reason string
}

// The reasons of problems with secrets, as the operator's conditions have them.
const (
	ReasonTooLarge    = "SecretKeyTooLarge"
	ReasonTooShort    = "APIKeyTooShort"
	ReasonAPIKeyTwice = "APIKeyGivenTwice"
	ReasonShort       = "SecretKeyShort"
	ReasonURLChanges  = "APIKeyChangedByURL"
	ReasonExpired     = "CertificateExpired"
	ReasonNotYetValid = "CertificateNotYetValid"
	ReasonExpiring    = "CertificateExpiring"
)

// ReasonEqualsAPIKey is the reason if a signing key is an API key as well. Name is what messages call the signing key:
// "OA secret key" gives "OASecretKeyEqualsAPIKey".
func ReasonEqualsAPIKey(name string) string { return InReason(name) + "EqualsAPIKey" }

// InReason writes what people call a thing as part of a reason: each word begins with a capital, and there are no
// spaces.
func InReason(name string) string {
	var joined strings.Builder
	for word := range strings.FieldsSeq(name) {
		joined.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return joined.String()
}

// String returns "file:line: path: message".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Path != "" {
		b.WriteString(": " + p.Path)
	}
	b.WriteString(": " + p.Message)
	return b.String()
}

// Error is a refused configuration: every problem, in the order of lines.
type Error struct {
	Problems []Problem
}

// Error returns one problem per line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// report collects the problems, warnings and lacks of one version of a file.
type report struct {
	file                      string
	root                      *yaml.Node
	problems, warnings, lacks []Problem
	// misread are the fields that could not be decoded; suspect are the fields right around them. Checks of both are
	// silent: their problems would follow from the first one.
	misread, suspect map[string]bool
}

// misreadf reports that the field at a line could not be decoded.
func (r *report) misreadf(line int, path, format string, args ...any) {
	r.misread[path] = true
	r.suspect[enclosing(path)] = true
	r.problems = append(r.problems, Problem{File: r.file, Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

// addf adds the problem that a check found in a field, and returns it, so that the caller may set the reason.
func (r *report) addf(to *[]Problem, path, format string, args ...any) *Problem {
	if r.follows(path) {
		return &Problem{}
	}
	*to = append(*to, Problem{File: r.file, Line: lineOf(r.root, path), Path: path, Message: fmt.Sprintf(format, args...)})
	return &(*to)[len(*to)-1]
}

// follows reports whether a problem of the field at path would follow from a field that could not be decoded.
func (r *report) follows(path string) bool {
	if r.suspect[path] {
		return true
	}
	for field := path; field != ""; field = enclosing(field) {
		if r.misread[field] {
			return true
		}
	}
	return false
}

// err returns the problems and lacks in the order of lines; nil if there are no problems.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	all := slices.Concat(r.problems, r.lacks)
	slices.SortStableFunc(all, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &Error{Problems: all}
}

// enclosing returns the path of the field around path: "a.b" for "a.b[0]", "a" for "a.b", "" for "a".
func enclosing(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// join returns the path of a member. Either part may be empty.
func join(path, member string) string { return strings.Trim(path+"."+member, ".") }

// lineOf returns the line of the field at path, or of the nearest present field around it. It is looked up only for a
// problem, so that a good file pays nothing for it.
func lineOf(node *yaml.Node, path string) int {
	line := node.Line
	steps := strings.FieldsFunc(path, func(c rune) bool { return c == '.' || c == '[' || c == ']' })
	for _, step := range steps {
		key, value := child(node, step)
		if value == nil {
			break
		}
		line, node = key.Line, value
	}
	return line
}

// child returns the member or element of node that step names; an element is its own key.
func child(node *yaml.Node, step string) (key, value *yaml.Node) {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i], node.Content[i+1]
			}
		}
	}
	if i, err := strconv.Atoi(step); err == nil && node.Kind == yaml.SequenceNode && i < len(node.Content) {
		return node.Content[i], node.Content[i]
	}
	return nil, nil
}

// Command reference writes docs/configuration.md from the comments of the Go
// types in connector/config, and of the sections of all types of channels, inboxes and
// sinks, so that the reference and the code cannot differ.
// It is run by "go generate" in the folder connector/config.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/config"
	registry "xbot.a4b.vn/channel-connector/connector/types"
)

const (
	example = "../../docs/example-config.yaml"
	output  = "../../docs/configuration.md"
)

const introduction = `# Configuration reference

<!-- Written by "go generate ./connector/config" from the comments of its types. Do not edit. -->

The connector reads one YAML file: ` + "`connector serve --config PATH`" + `. It reads strictly: an unknown or duplicate field, a
wrong type or an impossible combination refuses the whole file, and every problem is listed with its line and field. Anchors,
aliases, merge keys and further documents are not supported. ` + "`null`" + ` counts as absent.

A **duration** is written as in Go (` + "`10s`, `5m`, `24h`" + `), a **size** in bytes or with a unit (` + "`1048576`, `1Mi`, `1Gi`" + `).

A change of the file, or of any file that it names, is applied within a second. A version with a problem is refused, logged
and counted in the metric ` + "`xbot_connector_config_reloads_total`" + `, and the last good one stays in use.
`

var (
	defaultValue = regexp.MustCompile(`\s*Default(?: for \w+)?: (.+)\.$`)
	markdown     = strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`)
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// section is the section of one type, as it stands in the source.
type section struct {
	config.Type

	// folder and name are those of the Go type.
	folder, name string
}

// sections are those of the types of a union.
func sections(of []config.Type) []section {
	all := make([]section, 0, len(of))
	for _, t := range of {
		settings := reflect.TypeOf(t.New()).Elem()
		folder := filepath.Join("..", strings.TrimPrefix(settings.PkgPath(), path.Dir(reflect.TypeFor[config.Config]().PkgPath())))
		all = append(all, section{t, folder, settings.Name()})
	}
	return all
}

// unions are the sections by the name of the struct that one of them stands in.
func unions() map[string][]section {
	known := registry.Config()
	return map[string][]section{
		"Channel": sections(known.Channels), "Inbox": sections(known.Inboxes), "Sink": sections(known.Sinks),
	}
}

// documented is a type with its comment.
type documented struct {
	*ast.TypeSpec

	prose string
}

// parse returns the exported types of a folder, in the order of the files and lines.
func parse(folder string, files ...string) (found []documented, err error) {
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok || general.Tok != token.TYPE {
				continue
			}
			for _, spec := range general.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok && named.Name.IsExported() {
					found = append(found, documented{named, prose(general.Doc)})
				}
			}
		}
	}
	return found, nil
}

// types returns those of the file as a whole and those of every section.
func types() ([]documented, error) {
	all, err := parse(".", "types.go", "values.go")
	if err != nil {
		return nil, err
	}
	for _, s := range slices.Concat(unions()["Channel"], unions()["Inbox"], unions()["Sink"]) {
		if s.folder == "../config" {
			continue
		}
		found, err := parse(s.folder, "settings.go")
		if err != nil {
			return nil, err
		}
		for i := range found {
			if found[i].Name.Name == s.name {
				found[i].Name.Name = s.Name
				found[i].prose = strings.Replace(found[i].prose, s.name, s.Name, 1)
			}
		}
		all = append(all, found...)
	}
	return all, nil
}

func write() error {
	types, err := types()
	if err != nil {
		return err
	}
	yaml, err := os.ReadFile(example)
	if err != nil {
		return err
	}
	out := bytes.NewBufferString(introduction)
	for _, t := range types {
		if fields, ok := t.Type.(*ast.StructType); ok {
			fmt.Fprintf(out, "\n## %s\n\n%s\n\n| field | type | default | description |\n|---|---|---|---|\n", t.Name.Name, t.prose)
			rows(out, t.Name.Name, fields, types)
		}
	}
	fmt.Fprintf(out, "\n## Example\n\n```yaml\n%s```\n", yaml)
	return os.WriteFile(output, out.Bytes(), 0o644) //nolint:gosec // a document for everyone
}

// rows writes one row for each field; those of an inlined struct count as its
// own.
func rows(out *bytes.Buffer, of string, s *ast.StructType, types []documented) {
	for _, field := range s.Fields.List {
		if field.Tag == nil {
			continue
		}
		name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml"), ",")
		if name == "-" { // the section of a type
			members(out, of, types)
			continue
		}
		if name == "" { // inlined
			if inlined, ok := structure(field.Type, types); ok {
				rows(out, of, inlined, types)
			}
			continue
		}
		text, value := prose(field.Doc), ""
		text = strings.Replace(text, field.Names[0].Name, "`"+name+"`", 1)
		if optional, required := strings.CutSuffix(text, " Required."); required {
			text, value = optional, "required"
		} else if found := defaultValue.FindStringSubmatchIndex(text); found != nil {
			text, value = text[:found[0]], "`"+text[found[2]:found[3]]+"`"
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", name, typeName(field.Type, types), value, markdown.Replace(text))
	}
}

// members writes one row for each section that may stand in a union.
func members(out *bytes.Buffer, of string, types []documented) {
	for _, t := range unions()[of] {
		name := ast.NewIdent(t.name)
		if t.folder != "../config" {
			name = ast.NewIdent(t.Name)
		}
		fmt.Fprintf(out, "| `%s` | %s | required | `%s` is the section of type %s. |\n", t.Member(), typeName(name, types), t.Member(), t.Name)
	}
}

// typeName is the type in the reader's words, with a link to its table.
func typeName(t ast.Expr, types []documented) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return typeName(t.X, types)
	case *ast.ArrayType:
		return "list of " + typeName(t.Elt, types)
	}
	name := fmt.Sprint(t)
	if qualified, ok := t.(*ast.SelectorExpr); ok {
		name, t = qualified.Sel.Name, qualified.Sel
	}
	if _, ok := structure(t, types); ok {
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	}
	switch name {
	case "int":
		return "number"
	case "bool":
		return "true or false"
	case "Duration", "Size":
		return strings.ToLower(name)
	}
	return "text"
}

// structure returns the struct that t names.
func structure(t ast.Expr, types []documented) (*ast.StructType, bool) {
	for _, named := range types {
		if ident, ok := t.(*ast.Ident); ok && named.Name.Name == ident.Name {
			s, ok := named.Type.(*ast.StructType)
			return s, ok
		}
	}
	return nil, false
}

// prose is a comment as one paragraph.
func prose(comment *ast.CommentGroup) string {
	return strings.Join(strings.Fields(comment.Text()), " ")
}

// Command reference writes docs/configuration.md from the comments of the Go
// types in connector/config, so that the reference and the code cannot differ.
// It is run by "go generate" in the folder connector/config.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
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

func write() error {
	var types []*ast.TypeSpec
	documents := map[string]string{} // by the name of a type
	for _, source := range []string{"types.go", "types_zalooa.go", "types_sink.go", "values.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok || general.Tok != token.TYPE {
				continue
			}
			for _, spec := range general.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					types = append(types, named)
					documents[named.Name.Name] = prose(general.Doc)
				}
			}
		}
	}
	yaml, err := os.ReadFile(example)
	if err != nil {
		return err
	}
	out := bytes.NewBufferString(introduction)
	for _, t := range types {
		if fields, ok := t.Type.(*ast.StructType); ok {
			fmt.Fprintf(out, "\n## %s\n\n%s\n\n| field | type | default | description |\n|---|---|---|---|\n", t.Name.Name, documents[t.Name.Name])
			rows(out, fields, types)
		}
	}
	fmt.Fprintf(out, "\n## Example\n\n```yaml\n%s```\n", yaml)
	return os.WriteFile(output, out.Bytes(), 0o644) //nolint:gosec // a document for everyone
}

// rows writes one row for each field; those of an inlined struct count as its
// own.
func rows(out *bytes.Buffer, s *ast.StructType, types []*ast.TypeSpec) {
	for _, field := range s.Fields.List {
		if field.Tag == nil {
			continue
		}
		name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml"), ",")
		if name == "" { // inlined
			if inlined, ok := structure(field.Type, types); ok {
				rows(out, inlined, types)
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

// typeName is the type in the reader's words, with a link to its table.
func typeName(t ast.Expr, types []*ast.TypeSpec) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return typeName(t.X, types)
	case *ast.ArrayType:
		return "list of " + typeName(t.Elt, types)
	}
	name := fmt.Sprint(t)
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
func structure(t ast.Expr, types []*ast.TypeSpec) (*ast.StructType, bool) {
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

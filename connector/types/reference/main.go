// Command reference writes docs/configuration.md from the comments of the Go types in connector/config, and of the
// sections of all types of channels, inboxes and sinks, so that the reference and the code cannot differ. It is run by
// "go generate" in the folder connector/types.
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
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	registry "xbot.a4b.vn/channel-connector/connector/types"
)

const (
	example = "../../docs/example-config.yaml"
	output  = "../../docs/configuration.md"
)

const introduction = `# Configuration reference

<!-- Written by "go generate ./connector/types" from the comments of its types. Do not edit. -->

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

// unions are the types whose section may stand in a struct, by the struct's name.
func unions() map[string][]config.Type {
	known := registry.Config()
	return map[string][]config.Type{"Channel": known.Channels, "Inbox": known.Inboxes, "Sink": known.Sinks}
}

// documented is a type with its comment.
type documented struct {
	*ast.TypeSpec

	// pkg is the name of its package, which no two of the connector share. Title is what it is called.
	pkg, title, prose string
}

// parse returns the structs of a folder that stand in a configuration file, in the order of their Go files.
func parse(folder string) (found []documented, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok || general.Tok != token.TYPE {
				continue
			}
			if named := general.Specs[0].(*ast.TypeSpec); named.Name.IsExported() && inYAML(named) {
				found = append(found, documented{named, file.Name.Name, named.Name.Name, prose(general.Doc)})
			}
		}
	}
	return found, err
}

// inYAML reports whether a type is a struct with a name in YAML for one of its fields.
func inYAML(t *ast.TypeSpec) bool {
	s, ok := t.Type.(*ast.StructType)
	return ok && slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool { return f.Tag != nil && strings.Contains(f.Tag.Value, "yaml:") })
}

// types returns the types of the file as a whole, and those of every section. A section is called as its type is in the
// file, and the others of its packages begin with that.
func types() ([]documented, error) {
	all, err := parse("../config")
	if err != nil {
		return nil, err
	}
	known := registry.Config()
	for _, of := range slices.Concat(known.Channels, known.Inboxes, known.Sinks) {
		section := reflect.TypeOf(of.New()).Elem()
		for _, folder := range folders(section, nil) {
			found, err := parse(folder)
			if err != nil {
				return nil, err
			}
			for i := range found {
				f := &found[i]
				f.title = of.Name + " " + f.Name.Name
				if f.Name.Name == section.Name() && folder == folders(section, nil)[0] {
					f.title, f.prose = of.Name, strings.Replace(f.prose, section.Name(), of.Name, 1)
				}
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// folders lists those of the packages that a section's structs are of, its own first.
func folders(of reflect.Type, before []string) []string {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	connector := path.Dir(reflect.TypeFor[config.Config]().PkgPath())
	within, ours := strings.CutPrefix(of.PkgPath(), connector)
	if folder := ".." + within; ours && of.Kind() == reflect.Struct && within != "/config" {
		if !slices.Contains(before, folder) {
			before = append(before, folder)
		}
		for _, field := range reflect.VisibleFields(of) {
			before = folders(field.Type, before)
		}
	}
	return before
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
		fmt.Fprintf(out, "\n## %s\n\n%s\n\n| field | type | default | description |\n|---|---|---|---|\n", t.title, t.prose)
		rows(out, t, t.Type.(*ast.StructType), types)
	}
	writeChannelTypes(out)
	fmt.Fprintf(out, "\n## Example\n\n```yaml\n%s```\n", yaml)
	return os.WriteFile(output, out.Bytes(), 0o644) //nolint:gosec // a document for everyone
}

// writeChannelTypes writes what each type of channel decides.
func writeChannelTypes(out *bytes.Buffer) {
	fmt.Fprint(out, "\n## Types of channels\n\nThe shortest window is that of `inbox.deduplicationWindow` and, unless it is `0s`, of "+
		"`webhook.maxEventAge`: it is longer than the platform retries. No webhook may have a page of a type as its path.\n\n"+
		"| type | default of `webhook.path` | answered within | the platform retries for | shortest window | pages | "+
		"leave out, unless the bot must see them |\n|---|---|---|---|---|---|---|\n")
	for _, t := range registry.Channels {
		const none = "none"
		retries, window, pages, echoes := "unknown", none, none, none
		if t.RetryFor > 0 {
			retries, window = t.RetryFor.String(), time.Duration(t.Window()).String()
		}
		if t.PublicPrefix != "" {
			pages = "`" + t.PublicPrefix + "…`"
		}
		if len(t.Echoes) > 0 {
			echoes = "`" + strings.Join(t.Echoes, "`, `") + "`"
		}
		fmt.Fprintf(out, "| `%s` | `%s` | %s | %s | %s | %s | %s |\n", t.Name, t.DefaultPath, t.AnswerIn, retries, window, pages, echoes)
	}
}

// rows writes one row for each field; those of an inlined struct count as its own.
func rows(out *bytes.Buffer, of documented, s *ast.StructType, types []documented) {
	for _, field := range s.Fields.List {
		if field.Tag == nil {
			continue
		}
		name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml"), ",")
		switch name {
		case "-": // the section of a type
			for _, t := range unions()[of.Name.Name] {
				fmt.Fprintf(out, "| `%s` | %s | required | `%s` is the section of type %s. |\n",
					t.Member(), link(t.Name), t.Member(), t.Name)
			}
			continue
		case "": // inlined
			if inlined := structure(field.Type, of.pkg, types); inlined != nil {
				rows(out, of, inlined.Type.(*ast.StructType), types)
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
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", name, typeName(field.Type, of.pkg, types), value, markdown.Replace(text))
	}
}

// typeName is the type in the reader's words, with a link to its table. It stands in a package.
func typeName(t ast.Expr, pkg string, types []documented) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return typeName(t.X, pkg, types)
	case *ast.ArrayType:
		return "list of " + typeName(t.Elt, pkg, types)
	}
	if found := structure(t, pkg, types); found != nil {
		return link(found.title)
	}
	name := fmt.Sprint(t)
	if qualified, ok := t.(*ast.SelectorExpr); ok {
		name = qualified.Sel.Name
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

// link leads to the table of a type.
func link(title string) string {
	return fmt.Sprintf("[%s](#%s)", title, strings.ReplaceAll(strings.ToLower(title), " ", "-"))
}

// structure returns the struct that t names in a package; nil if it names none.
func structure(t ast.Expr, pkg string, types []documented) *documented {
	name, _ := t.(*ast.Ident)
	if qualified, ok := t.(*ast.SelectorExpr); ok {
		pkg, name = fmt.Sprint(qualified.X), qualified.Sel
	}
	i := slices.IndexFunc(types, func(known documented) bool { return name != nil && known.pkg == pkg && known.Name.Name == name.Name })
	if i < 0 {
		return nil
	}
	return &types[i]
}

// prose is a comment as one paragraph.
func prose(comment *ast.CommentGroup) string {
	return strings.Join(strings.Fields(comment.Text()), " ")
}

package config

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// decoder walks a YAML tree and a Go value together. Unlike yaml.Node.Decode it reports every problem, each with its
// line and field path, knows duplicate and unknown fields, and quotes nothing that may be a secret.
type decoder struct {
	*report

	types   Types
	members map[reflect.Type]map[string]member
	// paths are the decoded fields that hold a path of the file system.
	paths []reflect.Value
}

// member is a field of a struct type.
type member struct {
	index []int // for reflect
	order int   // among the fields that are known in YAML
	// section makes the section of a type; nil if the field holds none.
	section func() Section
	// path says that the field holds a path, absolute or relative to the file's folder.
	path bool
}

// pathTag is the tag of a field that holds a path: `file:"path"`.
const pathTag = "file"

// decode sets v from n; v is addressable. Null leaves the default.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.misreadf(n.Line, path, "anchors and aliases are not supported: write the value out")
		return
	}
	if isNull(n) {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
		setDefaults(v)
	}
	if text, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		d.text(n, text, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.sequence(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

// isNull reports whether a field counts as absent.
func isNull(n *yaml.Node) bool { return n.ShortTag() == "!!null" }

// scalars are the kinds of single values in the schema, with their tags in YAML and their names in messages.
var scalars = map[reflect.Kind]struct{ tag, shape string }{
	reflect.String: {"!!str", "text: put it in quotes"},
	reflect.Int:    {"!!int", "a whole number"},
	reflect.Bool:   {"!!bool", "true or false"},
}

func setDefaults(v reflect.Value) {
	if t, ok := reflect.TypeAssert[interface{ setDefaults() }](v.Addr()); ok {
		t.setDefaults()
	}
}

func (d *decoder) text(n *yaml.Node, v encoding.TextUnmarshaler, path string) {
	if n.Kind != yaml.ScalarNode {
		d.misreadf(n.Line, path, "want a single value, not %s", shape(n))
	} else if err := v.UnmarshalText([]byte(n.Value)); err != nil {
		d.misreadf(n.Line, path, "%v", err)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	want := scalars[v.Kind()]
	right := n.Kind == yaml.ScalarNode && n.ShortTag() == want.tag
	if right && v.Kind() == reflect.String {
		v.SetString(n.Value)
	} else if !right || n.Decode(v.Addr().Interface()) != nil {
		d.misreadf(n.Line, path, "want %s, not %s", want.shape, shape(n))
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.misreadf(n.Line, path, "want a list, not %s", shape(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		setDefaults(v.Index(i))
		d.decode(element, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.misreadf(n.Line, path, "want fields (%s), not %s", strings.Join(d.names(v.Type()), ", "), shape(n))
		return
	}
	fields := d.fields(v.Type())
	lines := make([]int, len(fields)) // of the fields seen, by their order
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, known := fields[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "" || key.ShortTag() == "!!merge":
			d.misreadf(key.Line, path, "anchors, merge keys and structured keys are not supported: write the fields out")
		case !known:
			d.unknown(key, v, path)
		case lines[field.order] > 0:
			d.misreadf(key.Line, join(path, key.Value), "given twice, first on line %d", lines[field.order])
		default:
			lines[field.order] = key.Line
			if field.section != nil {
				d.section(n, value, v, field, join(path, key.Value))
				continue
			}
			decoded := v.FieldByIndex(field.index)
			d.decode(value, decoded, join(path, key.Value))
			if field.path {
				d.paths = append(d.paths, decoded)
			}
		}
	}
}

// section decodes the section of a type into the union v. The section is kept if it is of the type that n names or that
// is the default, or if that type is not known.
func (d *decoder) section(n, value *yaml.Node, v reflect.Value, field member, path string) {
	section := field.section()
	decoded := reflect.ValueOf(section)
	d.decode(value, decoded.Elem(), path)
	types, name := d.types.of(v.Type()), ""
	if _, given := child(n, "type"); given != nil && !isNull(given) {
		name = given.Value
	}
	if v.Type() != reflect.TypeFor[Channel]() {
		name = typeOr(name, types) // as complete does
	}
	switch wanted := named(types, name); {
	case isNull(value):
	case wanted.Name == "" || wanted.Name == owner(types, section).Name:
		v.FieldByIndex(field.index).Set(decoded)
	default:
		d.misreadf(value.Line, path, "not for type %q: leave it out", name)
	}
}

// fieldName matches a mistaken name of a field; any other text may be a value that lost its name.
var fieldName = regexp.MustCompile(`^[A-Za-z_-]{1,32}$`)

// unknown reports a field that v does not have. Next to a secret the name is not quoted, since without "value:" the
// secret itself becomes a name.
func (d *decoder) unknown(key *yaml.Node, v reflect.Value, path string) {
	names := d.names(v.Type())
	remedy := "known are " + strings.Join(names, ", ")
	nearest := slices.MinFunc(names, func(a, b string) int { return distance(key.Value, a) - distance(key.Value, b) })
	near := distance(key.Value, nearest) <= 1+len(nearest)/5
	if near {
		remedy = fmt.Sprintf("did you mean %q?", nearest)
	}
	if _, secret := reflect.TypeAssert[interface{ Reveal() string }](v); fieldName.MatchString(key.Value) && (near || !secret) {
		path = join(path, key.Value)
	}
	d.misreadf(key.Line, path, "unknown field: %s", remedy)
}

// fields returns the members of struct type t by their names in YAML; those of an inlined struct count as its own.
func (d *decoder) fields(t reflect.Type) map[string]member {
	if known, ok := d.members[t]; ok {
		return known
	}
	fields := map[string]member{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Type == sectionType {
			for _, of := range d.types.of(t) {
				fields[of.Member()] = member{index: f.Index, order: len(fields), section: of.New}
			}
		} else if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" {
			fields[name] = member{index: f.Index, order: len(fields), path: f.Tag.Get(pathTag) == "path"}
		}
	}
	d.members[t] = fields
	return fields
}

// names returns the names in YAML of the members of t, in their order.
func (d *decoder) names(t reflect.Type) []string {
	fields := d.fields(t)
	names := make([]string, len(fields))
	for name, f := range fields {
		names[f.order] = name
	}
	return names
}

// shapes are the names of nodes in messages, by their tags.
var shapes = map[string]string{
	"!!map": "fields", "!!seq": "a list", "!!str": "text", "!!bool": "true or false",
	"!!int": "a number", "!!float": "a number", "!!timestamp": "a date",
}

// shape names the kind of a node without quoting it.
func shape(n *yaml.Node) string {
	if name, ok := shapes[n.ShortTag()]; ok {
		return name
	}
	return "a value with a tag of its own"
}

// distance is the Levenshtein distance of two names, case ignored.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Package schematest holds the rules of the ChannelConnector's schema as data, each with a patch that it accepts and
// one that it refuses. One list serves both the tests of package schema and those against a real API server, so that
// the two cannot drift apart.
package schematest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/config/crd"
)

// Smallest is the smallest useful resource.
const Smallest = `
apiVersion: xbot.a4b.vn/v1alpha1
kind: ChannelConnector
metadata:
  name: shop
spec:
  type: ZaloOA
  zaloOA:
    appID: "2553928453557884079"
    signature:
      secretKeyRefs:
      - {name: shop-zalo, key: oa-secret-key}
  sink:
    http:
      url: http://bot.chat.svc/events
`

// Rule is a rule of the schema. Its patches change the spec of the Smallest resource, as Resource takes them.
type Rule struct {
	// Name says what is refused.
	Name string
	// Before is the patch with which a rule for changes creates the resource.
	Before string
	// Accepted and Refused are the patch that the schema takes and the one that it refuses.
	Accepted, Refused string
	// Messages are the errors for Refused, in any order: the field's path, a colon, and the text.
	Messages []string
}

// Rules are the rules for a resource at its creation, Changes those for changes of one.
var (
	Rules   = load("rules/*.yaml")
	Changes = load("changes.yaml")
)

// A file holds a document for each rule. Its patches are JSON merge patches, in which null removes a field; ${repeat 3
// "ab"} in them stands for ababab, ${list 2 "n%d"} for n0, n1, and ${values "sink.type"} for the values that the schema
// lists for a field of the spec.
//
//go:embed rules/*.yaml changes.yaml
var files embed.FS

var written = template.New("").Delims("${", "}").Funcs(template.FuncMap{"repeat": repeat, "list": list, "values": values})

// load reads the rules in the files of a pattern, in the order of their names. It panics if one is no rule, because the
// files are part of the program.
func load(pattern string) []Rule {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		panic(err)
	}
	var rules []Rule
	for _, name := range names {
		var text bytes.Buffer
		if err := template.Must(written.ParseFS(files, name)).ExecuteTemplate(&text, path.Base(name), nil); err != nil {
			panic(err)
		}
		for document := range strings.SplitSeq(text.String(), "\n---\n") {
			rules = append(rules, read(name, document))
		}
	}
	return rules
}

func read(file, document string) Rule {
	var fields struct {
		Name                      string
		Before, Accepted, Refused json.RawMessage
		Messages                  string
	}
	if err := yaml.UnmarshalStrict([]byte(document), &fields); err != nil {
		panic(fmt.Errorf("%s: %w", file, err))
	}
	members := func(patch json.RawMessage) string {
		return strings.TrimSuffix(strings.TrimPrefix(string(patch), "{"), "}")
	}
	return Rule{
		Name: fields.Name, Before: members(fields.Before), Accepted: members(fields.Accepted), Refused: members(fields.Refused),
		Messages: strings.Split(strings.TrimSpace(fields.Messages), "\n"),
	}
}

func repeat(n int, text string) string { return strings.Repeat(text, n) }

// list returns n elements for a list or an object in YAML; %d in the element stands for the index of each.
func list(n int, element string) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = strings.ReplaceAll(element, "%d", strconv.Itoa(i))
	}
	return strings.Join(elements, ", ")
}

// values returns what the schema lists for a field of the spec, as an API server writes it: "A", "B".
func values(field string) (string, error) {
	var definition apiextensionsv1.CustomResourceDefinition
	err := yaml.Unmarshal(crd.ChannelConnectors, &definition)
	if err != nil {
		return "", err
	}
	at := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	for name := range strings.SplitSeq(field, ".") {
		at = at.Properties[name]
	}
	listed := make([]string, len(at.Enum))
	for i, value := range at.Enum {
		listed[i] = string(value.Raw)
	}
	return strings.Join(listed, ", "), nil
}

// Resource returns the Smallest resource with patches of its spec, one after the other: JSON merge patches in YAML,
// without the braces around them. It panics on a patch that is no YAML.
func Resource(patches ...string) *unstructured.Unstructured {
	patched := toJSON(Smallest)
	for _, patch := range patches {
		var err error
		if patched, err = jsonpatch.MergePatch(patched, toJSON("spec: {"+patch+"}")); err != nil {
			panic(err)
		}
	}
	resource := &unstructured.Unstructured{}
	if err := resource.UnmarshalJSON(patched); err != nil {
		panic(err)
	}
	return resource
}

func toJSON(document string) []byte {
	content, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		panic(err)
	}
	return content
}

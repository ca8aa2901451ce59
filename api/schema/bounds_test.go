package schema

import (
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// unbounded are the fields that need no bound.
var unbounded = []string{
	".apiVersion", ".kind", // the API server takes its own only
	// A quantity is kept as a number.
	".spec.inbox.embedded.size", ".spec.webhook.maxBodySize", ".spec.webhook.maxHeaderSize",
	".spec.workload.resources.limits{}", ".spec.workload.resources.requests{}",
}

// TestEverythingIsBounded: no list, text or map of a resource is as long as its author likes, since the operator keeps
// every resource in memory. A few bytes of JSON may take many times as much there.
func TestEverythingIsBounded(t *testing.T) {
	installed, err := definition()
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range boundless(installed, "") {
		if !slices.Contains(unbounded, field) {
			t.Errorf("%s has no bound: give it a marker in api/v1alpha1, or an entry in api/finishcrd if its type is Kubernetes' own", field)
		}
	}
}

// boundless are the fields below one that have no bound.
func boundless(s *apiextensionsv1.JSONSchemaProps, path string) (fields []string) {
	switch {
	case s.Type == "array" && s.MaxItems == nil,
		s.Type == "object" && s.AdditionalProperties != nil && s.MaxProperties == nil,
		(s.Type == "string" || s.XIntOrString) && s.MaxLength == nil && len(s.Enum) == 0 && s.Format != "date-time",
		s.Type == "" && !s.XIntOrString, s.XPreserveUnknownFields != nil, s.XEmbeddedResource:
		fields = append(fields, path)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		fields = append(fields, boundless(s.AdditionalProperties.Schema, path+"{}")...)
	}
	if s.Items != nil && s.Items.Schema != nil {
		fields = append(fields, boundless(s.Items.Schema, path+"[]")...)
	}
	for name := range s.Properties {
		below := s.Properties[name]
		fields = append(fields, boundless(&below, path+"."+name)...)
	}
	return fields
}

// TestBoundless: the test above sees each kind of field.
func TestBoundless(t *testing.T) {
	type props = apiextensionsv1.JSONSchemaProps
	two := int64(2)
	text, integer := props{Type: "string"}, props{Type: "integer"}
	list := func(most *int64, of props) props {
		return props{Type: "array", MaxItems: most, Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &of}}
	}
	mapping := func(most *int64, of props) props {
		return props{Type: "object", MaxProperties: most, AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Schema: &of}}
	}
	for _, c := range []struct {
		field props
		want  string
	}{
		{list(nil, integer), ".field"},
		{list(&two, text), ".field[]"},
		{mapping(nil, integer), ".field"},
		{mapping(&two, text), ".field{}"},
		{text, ".field"},
		{props{XIntOrString: true}, ".field"},
		{props{Type: "object", Properties: map[string]props{"text": text}}, ".field.text"},
		{props{Type: "object", XPreserveUnknownFields: new(true)}, ".field"},
		{props{Type: "string", Format: "date-time"}, ""}, // the operator keeps a time
		{props{Type: "string", MaxLength: &two}, ""},
	} {
		s := &props{Type: "object", Properties: map[string]props{"field": c.field}}
		if got := strings.Join(boundless(s, ""), " "); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.field, got, c.want)
		}
	}
}

package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func TestLacks(t *testing.T) {
	const own = `
properties:
  a: {type: string, default: x}
  b:
    default: {}
    properties: {c: {type: string}}
  d:
    type: array
    items: {properties: {e: {type: string, default: x}}}
`
	for name, test := range map[string]struct {
		served string
		want   []string
	}{
		"all":     {served: own},
		"more":    {served: own + "  z: {type: string}\n"},
		"nothing": {served: `{}`, want: []string{"spec.a", "spec.b", "spec.d"}},
		"another default": {
			served: `{properties: {a: {default: y}, b: {default: {}, properties: {c: {}}}, d: {items: {properties: {e: {default: y}}}}}}`,
		},
		"defaults": {
			served: `{properties: {a: {}, b: {properties: {c: {}}}, d: {items: {properties: {e: {}}}}}}`,
			want:   []string{"the default of spec.a", "the default of spec.b", "the default of spec.d[].e"},
		},
		"what is further inside": {
			served: `{properties: {a: {default: x}, b: {default: {}}, d: {items: {}}}}`, want: []string{"spec.b.c", "spec.d[].e"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lacks(schemaOf(t, test.served), schemaOf(t, own), "spec")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func schemaOf(t *testing.T, text string) (schema apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

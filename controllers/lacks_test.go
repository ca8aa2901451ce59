package controllers

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
		"all":                    {served: own},
		"more":                   {served: own + "  z: {type: string}\n"},
		"nothing":                {served: `{}`, want: []string{"spec.a", "spec.b", "spec.d"}},
		"another default":        {served: `{properties: {a: {default: y}, b: {default: {}, properties: {c: {}}}, d: {items: {properties: {e: {default: y}}}}}}`},
		"defaults":               {served: `{properties: {a: {}, b: {properties: {c: {}}}, d: {items: {properties: {e: {}}}}}}`, want: []string{"the default of spec.a", "the default of spec.b", "the default of spec.d[].e"}},
		"what is further inside": {served: `{properties: {a: {default: x}, b: {default: {}}, d: {items: {}}}}`, want: []string{"spec.b.c", "spec.d[].e"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lacks(parse(t, test.served), parse(t, own), "spec")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func parse(t *testing.T, text string) (schema apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestOutdatedMessage(t *testing.T) {
	for want, missing := range map[string][]string{
		"": nil,
		"The CustomResourceDefinition in the cluster is older than the operator: it lacks a, b, c, d, e and 2 more. The API server drops such fields. " +
			"Apply the one of the operator's version: its config/crd, or its Helm chart with crds.enabled": {"a", "b", "c", "d", "e", "f", "g"},
	} {
		if got := outdatedMessage(missing); got != want {
			t.Errorf("%v: got %q", missing, got)
		}
	}
}

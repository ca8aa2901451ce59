// Command finishcrd finishes the CustomResourceDefinition that controller-gen wrote, the first argument, and brings the
// schema of its spec into a chart's values.schema.json, the second one. The third one is a file that tells kustomize which
// fields name other objects.
//
// Of the definition go the descriptions below the fields that have Kubernetes' own types: "kubectl explain pod.spec"
// has them, and with them the definition would be too large for a client-side apply, which keeps a copy of it in an
// annotation. The lists, maps and texts below those fields get a bound, since the operator keeps them in memory: no
// marker reaches them. By the chart's definition "spec" Helm refuses a mistake in the value connectors before it installs
// anything; the rest of that file is written by hand.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// manifest is the definition without its status, which is the server's.
type manifest struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        meta                                         `json:"metadata"`
	Spec            apiextensionsv1.CustomResourceDefinitionSpec `json:"spec"`
}

type meta struct {
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// The fields of spec.workload and of its networkPolicy with Kubernetes' own types.
var (
	kubernetesTypes = []string{"affinity", "tolerations", "topologySpreadConstraints"}
	policyTypes     = []string{"webhookFrom", "metricsFrom", "egress"}
)

// The bounds below those fields: the members of a list or map, and the characters of a text, which is at most the name
// of a label.
var maxMembers, maxText int64 = 64, 253 + 1 + 63

func main() {
	if err := finish(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func finish(definition, values, references string) error {
	content, err := os.ReadFile(definition) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &crd); err != nil {
		return err
	}
	var spec apiextensionsv1.JSONSchemaProps
	for i := range crd.Spec.Versions {
		spec = crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"]
		workload := spec.Properties["workload"]
		amend(workload, kubernetesTypes)
		amend(workload.Properties["networkPolicy"], policyTypes)
	}
	if content, err = yaml.Marshal(manifest{crd.TypeMeta, meta{crd.Name, crd.Annotations}, crd.Spec}); err != nil {
		return err
	}
	err = os.WriteFile(definition, append([]byte("---\n"), content...), 0o644) //nolint:gosec // a document for everyone
	return errors.Join(err, write(values, spec), writeReferences(references, spec))
}

// amend bounds some fields, and removes the descriptions below them.
func amend(schema apiextensionsv1.JSONSchemaProps, fields []string) {
	for _, field := range fields {
		own := schema.Properties[field]
		description := own.Description
		amendAll(&own)
		own.Description = description
		schema.Properties[field] = own
	}
}

func amendAll(schema *apiextensionsv1.JSONSchemaProps) {
	schema.Description = ""
	bound(schema)
	for name, property := range schema.Properties {
		amendAll(&property)
		schema.Properties[name] = property
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		amendAll(schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		amendAll(schema.AdditionalProperties.Schema)
	}
}

// bound bounds a schema that has no bound.
func bound(schema *apiextensionsv1.JSONSchemaProps) {
	switch {
	case schema.Type == "array" && schema.MaxItems == nil:
		schema.MaxItems = &maxMembers
	case schema.AdditionalProperties != nil && schema.MaxProperties == nil:
		schema.MaxProperties = &maxMembers
	case (schema.Type == "string" || schema.XIntOrString) && schema.MaxLength == nil:
		schema.MaxLength = &maxText
	}
}

// write replaces the definition "spec" of a chart's schema.
func write(name string, spec apiextensionsv1.JSONSchemaProps) error {
	content, err := os.ReadFile(name) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	var values map[string]any
	if err := json.Unmarshal(content, &values); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	definitions, ok := values["definitions"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no definitions", name)
	}
	var schema any
	structural, err := json.Marshal(spec)
	if err == nil {
		err = json.Unmarshal(structural, &schema)
	}
	if err != nil {
		return err
	}
	plain(schema)
	definitions["spec"] = schema
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(values); err != nil {
		return err
	}
	return os.WriteFile(name, out.Bytes(), 0o644) //nolint:gosec // a document for everyone
}

// plain leaves JSON Schema of a structural schema, in which unknown fields are refused, as kubectl does.
func plain(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		for _, extension := range []string{"validations", "int-or-string", "list-type", "list-map-keys", "map-type"} {
			delete(s, "x-kubernetes-"+extension)
		}
		if _, object := s["properties"].(map[string]any); object && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
		for _, below := range s {
			plain(below)
		}
	case []any:
		for _, below := range s {
			plain(below)
		}
	}
}

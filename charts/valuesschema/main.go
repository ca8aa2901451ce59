// Command valuesschema brings the schema of a ChannelConnector's spec into a chart's values.schema.json, as the
// definition "spec", so that Helm refuses a mistake in the value connectors before it installs anything. It is run by
// "go generate" after the CustomResourceDefinition is written.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/config/crd"
)

//go:generate go tool -modfile=../../tools/helm/go.mod helm-docs --chart-search-root=.. --log-level=warning

func main() {
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// write rewrites a file of which everything but the definition "spec" is written by hand.
func write(name string) error {
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
	if definitions["spec"], err = spec(); err != nil {
		return err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(values); err != nil {
		return err
	}
	return os.WriteFile(name, out.Bytes(), 0o644) //nolint:gosec // a document for everyone
}

// spec is the schema of the newest version's spec.
func spec() (any, error) {
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(crd.ChannelConnectors, &definition); err != nil {
		return nil, err
	}
	versions := definition.Spec.Versions
	structural, err := json.Marshal(versions[len(versions)-1].Schema.OpenAPIV3Schema.Properties["spec"])
	if err != nil {
		return nil, err
	}
	var schema any
	if err := json.Unmarshal(structural, &schema); err != nil {
		return nil, err
	}
	plain(schema)
	return schema, nil
}

// plain leaves JSON Schema of a structural schema, in which unknown fields are refused, as kubectl does.
func plain(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		for _, extension := range []string{"x-kubernetes-validations", "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"} {
			delete(s, extension)
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

// Command kubeschemas writes a JSON schema of each kind that kubeconform may
// meet into a folder, without a network: Kubernetes' own from the OpenAPI
// document in its module, and the ChannelConnector's from its definition.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/config/crd"
)

// definitionsFile holds what the schemas of Kubernetes' kinds refer to.
const definitionsFile = "_definitions.json"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kubeschemas FOLDER")
		os.Exit(2)
	}
	for _, write := range []func(folder string) error{writeKubernetes, writeConnector} {
		if err := write(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
	}
}

// kind is a group, a version and a kind, as the OpenAPI document has them.
type kind struct{ Group, Version, Kind string }

// file is the name that kubeconform looks for.
func (k kind) file() string {
	group, _, _ := strings.Cut(k.Group, ".")
	if group != "" {
		group += "-"
	}
	return strings.ToLower(k.Kind) + "-" + group + k.Version + ".json"
}

func writeKubernetes(folder string) error {
	module, err := exec.Command("go", "list", "-modfile=localcluster/tools/controlplane/go.mod", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").Output()
	if err != nil {
		return fmt.Errorf("find the module k8s.io/kubernetes, from the repository's folder: %w", err)
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(module)), "api/openapi-spec/swagger.json"))
	if err != nil {
		return err
	}
	var document struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(content, &document); err != nil {
		return err
	}
	for name, definition := range document.Definitions {
		strict(definition)
		for _, k := range kinds(definition) {
			reference := map[string]any{"$ref": definitionsFile + "#/definitions/" + name}
			if err := write(folder, k.file(), reference); err != nil {
				return err
			}
		}
	}
	document.Definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = map[string]any{"type": []string{"string", "number"}}
	return write(folder, definitionsFile, document)
}

// kinds are those that a definition is the schema of.
func kinds(definition map[string]any) []kind {
	content, err := json.Marshal(definition["x-kubernetes-group-version-kind"])
	if err != nil {
		return nil
	}
	var all []kind
	if json.Unmarshal(content, &all) != nil {
		return nil
	}
	return all
}

func writeConnector(folder string) error {
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(crd.ChannelConnectors, &definition); err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions {
		content, err := json.Marshal(version.Schema.OpenAPIV3Schema)
		if err != nil {
			return err
		}
		var schema map[string]any
		if err := json.Unmarshal(content, &schema); err != nil {
			return err
		}
		strict(schema)
		// What every object has is no part of a definition.
		schema["properties"].(map[string]any)["metadata"] = map[string]any{"type": "object"} //nolint:forcetypeassert // every definition has it
		k := kind{v1alpha1.GroupVersion.Group, version.Name, definition.Spec.Names.Kind}
		if err := write(folder, k.file(), schema); err != nil {
			return err
		}
	}
	return nil
}

// strict refuses unknown fields, and takes what is a number or a text as either.
func strict(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if s["format"] == "int-or-string" {
			delete(s, "format")
			s["type"] = []string{"string", "integer"}
		}
		if _, object := s["properties"].(map[string]any); object && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
		for _, below := range s {
			strict(below)
		}
	case []any:
		for _, below := range s {
			strict(below)
		}
	}
}

func write(folder, name string, schema any) error {
	content, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), content, 0o600)
}

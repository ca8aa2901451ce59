// Command kubeschemas writes JSON schemas for kubeconform into a folder, without a network: those of Kubernetes' own
// kinds from the OpenAPI document in its module, and the ChannelConnector's from its definition.
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
	"xbot.a4b.vn/channel-connector/test/kit/must"
)

// definitionsFile holds the schemas to which those of Kubernetes' kinds refer.
const definitionsFile = "_definitions.json"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kubeschemas FOLDER")
		os.Exit(2)
	}
	if err := must.Catch(func() { writeKubernetes(os.Args[1]); writeConnector(os.Args[1]) }); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
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

func writeKubernetes(folder string) {
	module, err := exec.Command("go", "list", "-modfile=localcluster/tools/controlplane/go.mod", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").
		Output()
	if err != nil {
		must.Do(fmt.Errorf("find the module k8s.io/kubernetes, from the repository's folder: %w", err))
	}
	var document struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	path := filepath.Join(strings.TrimSpace(string(module)), "api/openapi-spec/swagger.json")
	must.Do(json.Unmarshal(must.Get(os.ReadFile(path)), &document))
	for name, definition := range document.Definitions {
		strict(definition)
		var kinds []kind // those that it is the schema of
		must.Do(json.Unmarshal(must.Get(json.Marshal(definition["x-kubernetes-group-version-kind"])), &kinds))
		for _, k := range kinds {
			write(folder, k.file(), map[string]any{"$ref": definitionsFile + "#/definitions/" + name})
		}
	}
	document.Definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = map[string]any{"type": []string{"string", "number"}}
	write(folder, definitionsFile, document)
}

func writeConnector(folder string) {
	var definition apiextensionsv1.CustomResourceDefinition
	must.Do(yaml.UnmarshalStrict(crd.ChannelConnectors, &definition))
	for _, version := range definition.Spec.Versions {
		var schema map[string]any
		must.Do(json.Unmarshal(must.Get(json.Marshal(version.Schema.OpenAPIV3Schema)), &schema))
		strict(schema)
		// The fields of every object are no part of a definition.
		schema["properties"].(map[string]any)["metadata"] = map[string]any{"type": "object"} //nolint:forcetypeassert // every definition has it
		k := kind{v1alpha1.GroupVersion.Group, version.Name, definition.Spec.Names.Kind}
		write(folder, k.file(), schema)
	}
}

// strict refuses unknown fields, and lets a field that takes numbers and texts take both.
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

func write(folder, name string, schema any) {
	must.Do(os.WriteFile(filepath.Join(folder, name), must.Get(json.Marshal(schema)), 0o600))
}

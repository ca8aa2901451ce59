// Command trimcrd removes from a CustomResourceDefinition the descriptions below the fields that have Kubernetes' own
// types: "kubectl explain pod.spec" has them, and with them the definition would be too large for a client-side apply,
// which keeps a copy of it in an annotation.
package main

import (
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

// kubernetesTypes are the fields of spec.workload with Kubernetes' own types.
var kubernetesTypes = []string{"affinity", "tolerations", "topologySpreadConstraints"}

func main() {
	if err := trim(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func trim(name string) error {
	content, err := os.ReadFile(name) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &crd); err != nil {
		return err
	}
	for i := range crd.Spec.Versions {
		workload := crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"].Properties["workload"]
		for _, field := range kubernetesTypes {
			own := workload.Properties[field]
			description := own.Description
			removeDescriptions(&own)
			own.Description = description
			workload.Properties[field] = own
		}
	}
	if content, err = yaml.Marshal(manifest{crd.TypeMeta, meta{crd.Name, crd.Annotations}, crd.Spec}); err != nil {
		return err
	}
	return os.WriteFile(name, append([]byte("---\n"), content...), 0o644) //nolint:gosec // a document for everyone
}

func removeDescriptions(schema *apiextensionsv1.JSONSchemaProps) {
	schema.Description = ""
	for name, property := range schema.Properties {
		removeDescriptions(&property)
		schema.Properties[name] = property
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		removeDescriptions(schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		removeDescriptions(schema.AdditionalProperties.Schema)
	}
}

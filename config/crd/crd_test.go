package crd_test

import (
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/config/crd"
)

func definition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	d := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(crd.ChannelConnectors, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDefinitionIsSmall keeps the definition well below what a client-side apply can copy into an annotation as JSON,
// 256 KiB. A further type of channel, inbox or sink brings 3 to 10 KiB.
func TestDefinitionIsSmall(t *testing.T) {
	content, err := yaml.YAMLToJSON(crd.ChannelConnectors)
	if size := len(content); err != nil || size >= 128<<10 {
		t.Errorf("%d bytes, want less than 128 KiB (%v)", size, err)
	}
}

func TestFieldsAreDescribed(t *testing.T) {
	for _, version := range definition(t).Spec.Versions {
		root := version.Schema.OpenAPIV3Schema
		described(t, "spec", root.Properties["spec"])
		described(t, "status", root.Properties["status"])
		defaultsAreSaid(t, "spec", root.Properties["spec"])
	}
}

// kubernetesTypes are described by "kubectl explain pod.spec" and "kubectl explain networkpolicy.spec".
var kubernetesTypes = []string{
	"spec.workload.affinity", "spec.workload.tolerations", "spec.workload.topologySpreadConstraints",
	"spec.workload.networkPolicy.webhookFrom", "spec.workload.networkPolicy.metricsFrom", "spec.workload.networkPolicy.egress",
}

// described checks that a field and those below it have a description.
func described(t *testing.T, path string, field apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if field.Description == "" {
		t.Errorf("%s has no description", path)
	}
	if slices.Contains(kubernetesTypes, path) {
		return
	}
	for name, property := range fields(field) {
		described(t, path+"."+name, property)
	}
}

// defaultsAreSaid checks that the description of each field that can be left out says what happens then, since "kubectl
// explain" shows no defaults.
func defaultsAreSaid(t *testing.T, path string, field apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if slices.Contains(kubernetesTypes, path) {
		return
	}
	properties := fields(field)
	for name, property := range properties {
		at, text := path+"."+name, property.Description
		if !slices.Contains(required(field), name) && !strings.Contains(text, "Default") && !strings.Contains(text, "Required") {
			t.Errorf("%s can be left out, and its description does not say what that means: %q", at, text)
		}
		defaultsAreSaid(t, at, property)
	}
}

// fields are those of an object or of a list's elements.
func fields(field apiextensionsv1.JSONSchemaProps) map[string]apiextensionsv1.JSONSchemaProps {
	if field.Items != nil {
		return field.Items.Schema.Properties
	}
	return field.Properties
}

func required(field apiextensionsv1.JSONSchemaProps) []string {
	if field.Items != nil {
		return field.Items.Schema.Required
	}
	return field.Required
}

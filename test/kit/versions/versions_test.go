package versions_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"

	"xbot.a4b.vn/channel-connector/test/kit/versions"
)

// manifests returns every object in YAML below a folder, by file.
func manifests(t *testing.T, folder string) map[string][][]byte {
	t.Helper()
	found := map[string][][]byte{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(filepath.Join(folder, name))
		found[name] = bytes.Split(content, []byte("\n---\n"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestServersTakeEveryRule compiles all CEL that is installed as each supported version does.
func TestServersTakeEveryRule(t *testing.T) {
	for _, folder := range []string{"../../../config", filepath.Join(versions.Chart, "files")} {
		all := manifests(t, folder)
		for _, server := range versions.Supported() {
			t.Run(filepath.Base(folder)+" by "+server.String(), func(t *testing.T) {
				for name, documents := range all {
					for _, document := range documents {
						if err := versions.Refusal(t.Context(), server, document); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
				}
			})
		}
	}
}

// TestVersionIsDocumented compares the documentation with the chart.
func TestVersionIsDocumented(t *testing.T) {
	content, err := os.ReadFile("../../../docs/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	if said := "Kubernetes " + versions.Oldest().String() + " or later"; !strings.Contains(string(content), said) {
		t.Errorf("docs/operator.md does not say %q", said)
	}
}

// TestRefusal holds the judge itself up: each object has a function that a version brought, so the one after it is the
// first that takes it.
func TestRefusal(t *testing.T) {
	for kind, template := range map[string]string{
		"CustomResourceDefinition": `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org, annotations: {api-approved.kubernetes.io: unapproved}}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, listKind: ThingList, plural: things, singular: thing}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: string, maxLength: 9, x-kubernetes-validations: [{rule: RULE, message: refused}]}
`, "ValidatingAdmissionPolicy": `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: things}
spec:
  variables: [{name: self, expression: string(object.spec)}]
  validations: [{expression: RULE}]
`,
	} {
		for function, first := range map[string]string{
			"self.startsWith('a')":                             "1.31",
			"!format.dns1123Label().validate(self).hasValue()": "1.32",
			"isSemver(self, true)":                             "1.34",
		} {
			rule := function
			if kind == "ValidatingAdmissionPolicy" {
				rule = strings.ReplaceAll(function, "self", "variables.self")
			}
			manifest := []byte(strings.Replace(template, "RULE", `"`+rule+`"`, 1))
			for _, server := range versions.Supported() {
				taken := versions.Refusal(t.Context(), server, manifest)
				if want := server.AtLeast(version.MustParse(first)); want != (taken == nil) {
					t.Errorf("%s with %s by %s: taken %t, want %t: %v", kind, rule, server, taken == nil, want, taken)
				}
			}
		}
	}
}

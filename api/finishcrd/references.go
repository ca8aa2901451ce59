package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// preface begins the file of references.
const preface = `# The fields of a ChannelConnector that name other objects. Without this file, kustomize renames a Secret by namePrefix and
# leaves the name in the ChannelConnector: it would use another team's Secret of that name. Written by "make generate".
nameReference:
`

// kinds are the objects that fields name, by the paths of the fields. The first that matches counts.
var kinds = []struct {
	path *regexp.Regexp
	// head is what kustomize has to know of the kind.
	head string
}{
	{regexp.MustCompile(`ConfigMap\w*Refs?/name$`), "- kind: ConfigMap\n  version: v1\n"},
	{regexp.MustCompile(`(Secret\w*Refs?|[sS]ecretKeyRefs?|imagePullSecrets)/name$|[sS]ecretName$`), "- kind: Secret\n  version: v1\n"},
	{regexp.MustCompile(`serviceAccountName$`), "- kind: ServiceAccount\n  version: v1\n"},
	{regexp.MustCompile(`priorityClassName$`), "- kind: PriorityClass\n  group: scheduling.k8s.io\n"},
	{regexp.MustCompile(`storageClassName$`), "- kind: StorageClass\n  group: storage.k8s.io\n"},
	{regexp.MustCompile(`parentRefs/name$`), "- kind: Gateway\n  group: gateway.networking.k8s.io\n"},
	{regexp.MustCompile(`ingress/className$`), "- kind: IngressClass\n  group: networking.k8s.io\n"},
}

// writeReferences tells kustomize which fields of a spec name other objects.
func writeReferences(name string, spec apiextensionsv1.JSONSchemaProps) error {
	of := map[string][]string{}
	for _, path := range fields("spec", spec) {
		for _, kind := range kinds {
			if kind.path.MatchString(path) {
				of[kind.head] = append(of[kind.head], path)
				break
			}
		}
	}
	out := bytes.NewBufferString(preface)
	for _, kind := range kinds {
		fmt.Fprintf(out, "%s  fieldSpecs:\n", kind.head)
		for _, path := range of[kind.head] {
			fmt.Fprintf(out, "  - {group: xbot.a4b.vn, kind: ChannelConnector, path: %s}\n", path)
		}
	}
	return os.WriteFile(name, out.Bytes(), 0o644) //nolint:gosec // a document for everyone
}

// fields lists the paths of all texts below a field, as kustomize writes them: lists leave no trace.
func fields(path string, schema apiextensionsv1.JSONSchemaProps) (paths []string) {
	if schema.Items != nil {
		return fields(path, *schema.Items.Schema)
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		paths = append(paths, fields(strings.Join([]string{path, name}, "/"), schema.Properties[name])...)
	}
	if schema.Type == "string" {
		paths = append(paths, path)
	}
	return paths
}

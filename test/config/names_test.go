package config_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/config/crd"
	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

// references are the objects that a resource with every reference names: their kinds, by their names.
type references map[string]string

var (
	// A field is a reference if it is called like one, or if its rule says so.
	calledLikeReference = regexp.MustCompile(`(Refs?|Secrets)\.name$|([sS]ecret|[cC]onfigMap|Account|[cC]lass)Name$`)
	namesAnObject       = regexp.MustCompile(`the name of an? [A-Z]`)
	kinds               = []struct {
		path             *regexp.Regexp
		kind, apiVersion string
	}{
		{regexp.MustCompile(`(?i)configmap`), "ConfigMap", "v1"},
		{regexp.MustCompile(`(?i)secret`), "Secret", "v1"},
		{regexp.MustCompile(`serviceAccountName$`), "ServiceAccount", "v1"},
		{regexp.MustCompile(`priorityClassName$`), "PriorityClass", "scheduling.k8s.io/v1"},
		{regexp.MustCompile(`storageClassName$`), "StorageClass", "storage.k8s.io/v1"},
		{regexp.MustCompile(`parentRefs\.name$`), "Gateway", "gateway.networking.k8s.io/v1"},
		{regexp.MustCompile(`ingress\.className$`), "IngressClass", "networking.k8s.io/v1"},
	}
)

// fill returns a value with every reference below a field, and notes these; nil if there are none.
func (r references) fill(path string, field apiextensionsv1.JSONSchemaProps) any {
	GinkgoHelper()
	switch {
	case field.Items != nil:
		if element := r.fill(path, *field.Items.Schema); element != nil {
			return []any{element}
		}
	case field.Properties != nil:
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(field.Properties)) {
			if value := r.fill(path+"."+name, field.Properties[name]); value != nil {
				object[name] = value
			}
		}
		if len(object) > 0 {
			return object
		}
	case isReference(path, field):
		return r.note(path)
	}
	return nil
}

func isReference(path string, field apiextensionsv1.JSONSchemaProps) bool {
	return field.Type == "string" && (calledLikeReference.MatchString(path) ||
		slices.ContainsFunc(field.XValidations, func(rule apiextensionsv1.ValidationRule) bool {
			return namesAnObject.MatchString(rule.Message)
		}))
}

// note names an object after the field that refers to it.
func (r references) note(path string) string {
	GinkgoHelper()
	for _, k := range kinds {
		if k.path.MatchString(path) {
			name := strings.ToLower(strings.TrimPrefix(path, "spec."))
			r[name] = "apiVersion: " + k.apiVersion + "\nkind: " + k.kind + "\n"
			return name
		}
	}
	Fail(path + " names an object of an unknown kind: add the kind here, and the field to config/kustomize/name_references.yaml")
	return ""
}

// resource is a ChannelConnector with every reference, and the objects that it names.
func (r references) resource() string {
	GinkgoHelper()
	var definition apiextensionsv1.CustomResourceDefinition
	Expect(yaml.Unmarshal(crd.ChannelConnectors, &definition)).To(Succeed())
	spec := r.fill("spec", definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"])
	content, err := yaml.Marshal(map[string]any{
		"apiVersion": "xbot.a4b.vn/v1alpha1", "kind": "ChannelConnector", "metadata": map[string]any{"name": "shop"}, "spec": spec,
	})
	Expect(err).NotTo(HaveOccurred())
	documents := []string{string(content)}
	for name, kind := range r {
		documents = append(documents, kind+"metadata: {name: "+name+"}\n")
	}
	return strings.Join(documents, "---\n")
}

// named returns every text in a value.
func named(value any) (texts []string) {
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			texts = append(texts, named(member)...)
		}
	case []any:
		for _, element := range v {
			texts = append(texts, named(element)...)
		}
	case string:
		texts = []string{v}
	}
	return texts
}

// kustomized is what kustomize makes of a folder with files.
func kustomized(ctx context.Context, files map[string]string) []*unstructured.Unstructured {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	for name, content := range files {
		file := filepath.Join(folder, name)
		Expect(os.MkdirAll(filepath.Dir(file), 0o750)).To(Succeed())
		Expect(os.WriteFile(file, []byte(content), 0o600)).To(Succeed())
	}
	for _, shipped := range []string{"kustomize", "samples"} {
		Expect(os.CopyFS(filepath.Join(folder, shipped), os.DirFS(filepath.Join(installation.Root, "config", shipped)))).To(Succeed())
	}
	return installation.Objects(installation.Output(exec.CommandContext(ctx, kustomize, "build", filepath.Join(folder, "overlay"))))
}

var _ = Describe("config/kustomize", func() {
	DescribeTable("renames what a resource names, in every field", func(ctx context.Context, base, overlay string) {
		wanted := references{}
		copied, err := os.ReadFile(filepath.Join(installation.Root, "config/kustomize/name_references.yaml"))
		Expect(err).NotTo(HaveOccurred())
		files := map[string]string{
			"overlay/name_references.yaml": string(copied),
			"base/all.yaml":                wanted.resource(),
			"base/kustomization.yaml":      "resources: [all.yaml]\n" + base,
			"overlay/kustomization.yaml":   "resources: [../base]\nnamePrefix: sales-\nnameSuffix: -v2\n" + overlay,
		}
		Expect(len(wanted)).To(BeNumerically(">", 10))
		var names []string
		for name := range wanted {
			names = append(names, "sales-"+name+"-v2")
		}
		all := kustomized(ctx, files)
		Expect(all).To(HaveLen(len(names) + 1))
		Expect(named(installation.Only(all, "ChannelConnector").Object["spec"])).To(ConsistOf(names))
	},
		Entry("as a component of the overlay", "", "components: [../kustomize]\n"),
		Entry("as a component of the base", "components: [../kustomize]\n", ""),
		Entry("as a copied configuration of the overlay", "", "configurations: [name_references.yaml]\n"),
	)

	It("follows the hashes of generated Secrets", func(ctx context.Context) {
		all := kustomized(ctx, map[string]string{
			"overlay/shop.yaml": "apiVersion: xbot.a4b.vn/v1alpha1\nkind: ChannelConnector\nmetadata: {name: shop}\n" +
				"spec: {zaloOA: {signature: {secretKeyRefs: [{name: shop-zalo, key: a}, {name: elsewhere, key: a}]}}}\n",
			"overlay/kustomization.yaml": "resources: [shop.yaml]\ncomponents: [../kustomize]\n" +
				"secretGenerator: [{name: shop-zalo, literals: [a=b]}]\n",
		})
		generated := installation.Only(all, "Secret").GetName()
		Expect(generated).To(HavePrefix("shop-zalo-"))
		spec := installation.Only(all, "ChannelConnector").Object["spec"]
		Expect(named(spec)).To(ConsistOf(generated, "a", "elsewhere", "a"), "a Secret from elsewhere keeps its name")
	})

	It("is part of the samples, which take a prefix with their Secrets", func(ctx context.Context) {
		all := kustomized(ctx, map[string]string{"overlay/kustomization.yaml": "resources: [../samples]\nnamePrefix: sales-\n"})
		var names []string
		for _, resource := range installation.Of(all, "ChannelConnector") {
			names = append(names, named(resource.Object["spec"])...)
		}
		for _, secret := range installation.Of(all, "Secret") {
			Expect(secret.GetName()).To(HavePrefix("sales-"))
			Expect(names).To(ContainElement(secret.GetName()))
		}
	})
})

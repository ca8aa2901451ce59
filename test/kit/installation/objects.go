// Package installation installs manifests into a real API server for specs, and runs the operator with no more rights
// than these give it.
package installation

import (
	"bytes"
	"os/exec"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Root is the repository's folder, seen from the specs' folders.
const Root = "../.."

// Output returns what a command of the repository prints.
func Output(command *exec.Cmd) []byte {
	GinkgoHelper()
	command.Dir = Root
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	Expect(err).NotTo(HaveOccurred(), problems.String)
	Expect(problems.String()).To(BeEmpty())
	return output
}

// Objects returns the objects of a file with several documents, without documents of comments alone.
func Objects(documents []byte) []*unstructured.Unstructured {
	GinkgoHelper()
	var all []*unstructured.Unstructured
	for document := range bytes.SplitSeq(documents, []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		Expect(yaml.UnmarshalStrict(document, &object.Object)).To(Succeed())
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
	return all
}

// Of returns the objects of a kind.
func Of(all []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(all), func(object *unstructured.Unstructured) bool { return object.GetKind() != kind })
}

// Only returns the one object of a kind.
func Only(all []*unstructured.Unstructured, kind string) *unstructured.Unstructured {
	GinkgoHelper()
	found := Of(all, kind)
	Expect(found).To(HaveLen(1), kind)
	return found[0]
}

// Convert reads an object into its own type.
func Convert(object *unstructured.Unstructured, into any) {
	GinkgoHelper()
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true)).To(Succeed())
}

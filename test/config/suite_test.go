// Package config_test installs what is under config/ into a real API server.
package config_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/controllers"
)

const root = "../.."

var (
	apiServer *envtest.Environment
	cluster   *rest.Config
	// k8s refuses unknown and duplicate fields, as kubectl does.
	k8s client.Client
)

func TestConfig(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Config")
}

var _ = BeforeSuite(func(ctx context.Context) {
	apiServer = &envtest.Environment{}
	var err error
	cluster, err = apiServer.Start()
	Expect(err).NotTo(HaveOccurred(), "start a real API server: make test names its binaries in KUBEBUILDER_ASSETS")
	cluster.QPS = -1 // the tests are not throttled
	scheme, err := controllers.NewScheme()
	Expect(err).NotTo(HaveOccurred())
	plain, err := client.New(cluster, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	k8s = client.WithFieldValidation(plain, metav1.FieldValidationStrict)

	By("installing config/crd, which everything else needs")
	install(ctx, build(ctx, "crd"))
	definitions, err := envtest.InstallCRDs(cluster, envtest.CRDInstallOptions{Paths: []string{filepath.Join(root, "config/crd/bases")}})
	Expect(err).NotTo(HaveOccurred())
	Expect(definitions).To(HaveLen(1))
})

var _ = AfterSuite(func() {
	if apiServer != nil {
		Expect(apiServer.Stop()).To(Succeed())
	}
})

// build returns what kustomize makes of a folder of config.
func build(ctx context.Context, folder string) []*unstructured.Unstructured {
	GinkgoHelper()
	kustomize := exec.CommandContext(ctx, "go", "tool", "-modfile=tools/operator/go.mod", "kustomize", "build", "config/"+folder)
	kustomize.Dir = root
	var problems bytes.Buffer
	kustomize.Stderr = &problems
	documents, err := kustomize.Output()
	Expect(err).NotTo(HaveOccurred(), problems.String)
	Expect(problems.String()).To(BeEmpty())
	return objects(documents)
}

// read returns the objects of a file of config.
func read(name string) []*unstructured.Unstructured {
	GinkgoHelper()
	documents, err := os.ReadFile(filepath.Join(root, "config", name))
	Expect(err).NotTo(HaveOccurred())
	return objects(documents)
}

func objects(documents []byte) []*unstructured.Unstructured {
	GinkgoHelper()
	var all []*unstructured.Unstructured
	for document := range bytes.SplitSeq(documents, []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		Expect(yaml.UnmarshalStrict(document, &object.Object)).To(Succeed())
		all = append(all, object)
	}
	return all
}

// install applies objects as kubectl does, namespaces first.
func install(ctx context.Context, all []*unstructured.Unstructured) {
	GinkgoHelper()
	for _, object := range all {
		err := k8s.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("kubectl"), client.ForceOwnership)
		Expect(err).NotTo(HaveOccurred(), "%s %s", object.GetKind(), object.GetName())
	}
}

// only returns the one object of a kind.
func only(all []*unstructured.Unstructured, kind string) *unstructured.Unstructured {
	GinkgoHelper()
	var found []*unstructured.Unstructured
	for _, object := range all {
		if object.GetKind() == kind {
			found = append(found, object)
		}
	}
	Expect(found).To(HaveLen(1), kind)
	return found[0]
}

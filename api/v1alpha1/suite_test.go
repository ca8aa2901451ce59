package v1alpha1_test

import (
	"context"
	"io"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/kit/apiserver"
)

var (
	apiServer *envtest.Environment
	cluster   *rest.Config
	// k8s refuses unknown and duplicate fields, as kubectl does.
	k8s client.Client
	// namespace is a new one for each spec.
	namespace string
)

func TestAPI(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "API")
}

var _ = BeforeSuite(func() {
	apiServer = &envtest.Environment{
		CRDDirectoryPaths:     []string{"../../config/crd/bases"},
		ErrorIfCRDPathMissing: true,
	}
	Expect(apiserver.Reserve(apiServer)).To(Succeed())
	var err error
	cluster, err = apiServer.Start()
	Expect(err).NotTo(HaveOccurred(), "start a real API server: make test names its binaries in KUBEBUILDER_ASSETS")
	cluster.QPS = -1 // the tests are not throttled
	Expect(v1alpha1.AddToScheme(scheme.Scheme)).To(Succeed())
	plain, err := client.New(cluster, client.Options{Scheme: scheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
	k8s = client.WithFieldValidation(plain, metav1.FieldValidationStrict)
})

var _ = AfterSuite(func() {
	if apiServer != nil {
		Expect(apiServer.Stop()).To(Succeed())
	}
})

var _ = BeforeEach(func(ctx context.Context) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "api-"}}
	Expect(k8s.Create(ctx, ns)).To(Succeed())
	namespace = ns.Name
})

// kubectl runs kubectl in the spec's namespace and returns what it prints.
func kubectl(args ...string) string {
	GinkgoHelper()
	user, err := apiServer.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	Expect(err).NotTo(HaveOccurred())
	command, err := user.Kubectl()
	Expect(err).NotTo(HaveOccurred())
	stdout, stderr, err := command.Run(append([]string{"--namespace", namespace}, args...)...)
	Expect(err).NotTo(HaveOccurred(), func() string { return text(stderr) })
	return text(stdout)
}

func text(r io.Reader) string {
	GinkgoHelper()
	content, err := io.ReadAll(r)
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

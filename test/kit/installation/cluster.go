package installation

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"xbot.a4b.vn/channel-connector/controllers"
	"xbot.a4b.vn/channel-connector/test/kit/apiserver"
)

// Cluster is a real API server.
type Cluster struct {
	// Client refuses unknown and duplicate fields, as kubectl does.
	client.Client
	// Config is the administrator's.
	Config *rest.Config
}

// Start starts an API server, which ends with the suite.
func Start() *Cluster {
	GinkgoHelper()
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(GinkgoWriter, nil)))
	apiServer := &envtest.Environment{}
	Expect(apiserver.Reserve(apiServer)).To(Succeed())
	config, err := apiServer.Start()
	Expect(err).NotTo(HaveOccurred(), "start a real API server: make test names its binaries in KUBEBUILDER_ASSETS")
	DeferCleanup(apiServer.Stop)
	config.QPS = -1 // the tests are not throttled
	scheme, err := controllers.NewScheme()
	Expect(err).NotTo(HaveOccurred())
	plain, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return &Cluster{client.WithFieldValidation(plain, metav1.FieldValidationStrict), config}
}

// Install applies objects in their order, as kubectl does.
func (c *Cluster) Install(ctx context.Context, all []*unstructured.Unstructured) {
	GinkgoHelper()
	for _, object := range all {
		err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("kubectl"), client.ForceOwnership)
		Expect(err).NotTo(HaveOccurred(), "%s %s", object.GetKind(), object.GetName())
	}
}

// InstallDefinitions installs CustomResourceDefinitions and waits until they are served.
func (c *Cluster) InstallDefinitions(path string) {
	GinkgoHelper()
	definitions, err := envtest.InstallCRDs(c.Config, envtest.CRDInstallOptions{Paths: []string{filepath.Join(Root, path)}})
	Expect(err).NotTo(HaveOccurred())
	Expect(definitions).To(HaveLen(1))
}

// MakeNamespace makes a namespace that takes hardened pods only.
func (c *Cluster) MakeNamespace(ctx context.Context, name string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	Expect(client.IgnoreAlreadyExists(c.Create(ctx, namespace))).To(Succeed())
}

// ExpectPodTaken checks a pod against its namespace's Pod Security.
func (c *Cluster) ExpectPodTaken(ctx context.Context, namespace string, spec corev1.PodSpec) {
	GinkgoHelper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "taken-"}, Spec: spec}
	Expect(c.Create(ctx, pod, client.DryRunAll)).To(Succeed())
}

// Kubeconfig writes a kubeconfig of a ServiceAccount, or of the administrator if the name is empty.
func (c *Cluster) Kubeconfig(namespace, serviceAccount string) (path string) {
	GinkgoHelper()
	user := &clientcmdapi.AuthInfo{ClientCertificateData: c.Config.CertData, ClientKeyData: c.Config.KeyData}
	if serviceAccount != "" {
		user.Impersonate = "system:serviceaccount:" + namespace + ":" + serviceAccount
		user.ImpersonateGroups = []string{
			"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated",
		}
	}
	const name = "test"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData}
	config.AuthInfos[name] = user
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	path = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

package config_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

// kubeconfig writes one with which the API server sees a ServiceAccount.
func kubeconfig(namespace, serviceAccount string) string {
	GinkgoHelper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: cluster.Host, CertificateAuthorityData: cluster.CAData}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: cluster.CertData, ClientKeyData: cluster.KeyData,
		Impersonate: "system:serviceaccount:" + namespace + ":" + serviceAccount,
		ImpersonateGroups: []string{
			"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated",
		},
	}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	config.CurrentContext = "test"
	name := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, name)).To(Succeed())
	return name
}

// start runs the operator as the Deployment does, with the rights of its
// ServiceAccount, on free ports.
func start(ctx context.Context, all []*unstructured.Unstructured) *gexec.Session {
	GinkgoHelper()
	var deployment appsv1.Deployment
	convert(only(all, "Deployment"), &deployment)
	pod := deployment.Spec.Template.Spec
	binary := filepath.Join(GinkgoT().TempDir(), "operator")
	compile := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/operator")
	compile.Dir = root
	output, err := compile.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))

	operator := exec.Command(binary, append(pod.Containers[0].Args, "--leader-election-namespace="+deployment.Namespace,
		"--health-probe-bind-address=127.0.0.1:0", "--metrics-bind-address=127.0.0.1:0")...)
	operator.Env = []string{"KUBECONFIG=" + kubeconfig(deployment.Namespace, pod.ServiceAccountName)}
	for _, variable := range pod.Containers[0].Env {
		value := variable.Value
		if variable.ValueFrom != nil {
			Expect(variable.ValueFrom.FieldRef.FieldPath).To(Equal("metadata.namespace"))
			value = deployment.Namespace
		}
		operator.Env = append(operator.Env, variable.Name+"="+value)
	}
	session, err := gexec.Start(operator, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	return session
}

var _ = DescribeTable("The operator's rights are enough", func(ctx context.Context, folder, namespace string) {
	all := build(ctx, folder)
	makeNamespace(ctx, namespace)
	install(ctx, all)
	resource := schematest.Resource()
	resource.SetNamespace(namespace)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"},
		Data:       map[string][]byte{"oa-secret-key": []byte("placeholder-oa-secret-key")},
	}
	Expect(k8s.Create(ctx, secret)).To(Succeed())
	Expect(k8s.Create(ctx, resource)).To(Succeed())
	session := start(ctx, all)

	key := client.ObjectKey{Namespace: namespace, Name: resource.GetName()}
	Eventually(ctx, func(g Gomega) {
		c := &v1alpha1.ChannelConnector{}
		g.Expect(k8s.Get(ctx, key, c)).To(Succeed())
		g.Expect(c.Status.ObservedGeneration).To(Equal(c.Generation))
		g.Expect(c.Status.APIKeySecretName).NotTo(BeEmpty())
		deployment := client.ObjectKey{Namespace: namespace, Name: children.ConnectorName(c.Name)}
		g.Expect(k8s.Get(ctx, deployment, &appsv1.Deployment{})).To(Succeed())
	}).WithTimeout(time.Minute).Should(Succeed())

	session.Terminate()
	Eventually(ctx, session).WithTimeout(time.Minute).Should(gexec.Exit(0))
	Expect(string(session.Err.Contents())).NotTo(ContainSubstring("forbidden"))
},
	Entry("for the cluster", "default", "elsewhere"),
	Entry("for its own namespace", "namespaced", "chat"),
)

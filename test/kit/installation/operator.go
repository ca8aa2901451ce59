package installation

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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

// Soon bounds a wait for something that happens at once on an idle machine.
const Soon = time.Minute

// BuildCommand builds a program of cmd/ into a folder that is removed with the suite.
func BuildCommand(name string) (path string) {
	GinkgoHelper()
	return build("xbot.a4b.vn/channel-connector/cmd/" + name)
}

// BuildTool builds the program of a package that tools/<module> pins.
func BuildTool(module, program string) (path string) {
	GinkgoHelper()
	return build(program, "-modfile="+filepath.Join(Root, "tools", module, "go.mod"))
}

func build(program string, flags ...string) string {
	GinkgoHelper()
	path, err := gexec.Build(program, flags...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	return path
}

// Run runs the operator like the only container of a pod, with the rights of the pod's ServiceAccount and more
// arguments.
func (c *Cluster) Run(binary, namespace string, pod corev1.PodSpec, more ...string) *gexec.Session {
	GinkgoHelper()
	Expect(pod.Containers).To(HaveLen(1))
	operator := exec.Command(binary, append(pod.Containers[0].Args, more...)...)
	operator.Env = []string{"KUBECONFIG=" + c.Kubeconfig(namespace, pod.ServiceAccountName)}
	for _, variable := range pod.Containers[0].Env {
		value := variable.Value
		if variable.ValueFrom != nil {
			Expect(variable.ValueFrom.FieldRef.FieldPath).To(Equal("metadata.namespace"))
			value = namespace
		}
		operator.Env = append(operator.Env, variable.Name+"="+value)
	}
	session, err := gexec.Start(operator, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	return session
}

// RunOperator runs the operator of a Deployment on free ports.
func (c *Cluster) RunOperator(binary, namespace string, deployment *appsv1.Deployment) *gexec.Session {
	GinkgoHelper()
	return c.Run(binary, namespace, deployment.Spec.Template.Spec, "--leader-election-namespace="+namespace,
		"--health-probe-bind-address=127.0.0.1:0", "--metrics-bind-address=127.0.0.1:0")
}

// ExpectRightsEnough checks that an operator makes the children of a ChannelConnector, and is refused nothing until its
// end.
func (c *Cluster) ExpectRightsEnough(ctx context.Context, operator *gexec.Session, namespace string) {
	GinkgoHelper()
	resource := schematest.Resource()
	resource.SetNamespace(namespace)
	c.MakeSecret(ctx, namespace)
	Expect(c.Create(ctx, resource)).To(Succeed())
	key := client.ObjectKeyFromObject(resource)
	Eventually(ctx, func(g Gomega) {
		connector := &v1alpha1.ChannelConnector{}
		g.Expect(c.Get(ctx, key, connector)).To(Succeed())
		g.Expect(connector.Status.ObservedGeneration).To(Equal(connector.Generation))
		g.Expect(connector.Status.APIKeySecretName).NotTo(BeEmpty())
		deployment := client.ObjectKey{Namespace: namespace, Name: children.ConnectorName(connector.Name)}
		g.Expect(c.Get(ctx, deployment, &appsv1.Deployment{})).To(Succeed())
	}).WithTimeout(Soon).Should(Succeed())
	ExpectGoodEnd(ctx, operator)
}

// ExpectGoodEnd ends an operator and checks that it was refused nothing.
func ExpectGoodEnd(ctx context.Context, operator *gexec.Session) {
	GinkgoHelper()
	operator.Terminate()
	Eventually(ctx, operator).WithTimeout(Soon).Should(gexec.Exit(0))
	Expect(string(operator.Err.Contents())).NotTo(ContainSubstring("forbidden"))
}

// MakeSecret makes the Secret that the smallest useful ChannelConnector names.
func (c *Cluster) MakeSecret(ctx context.Context, namespace string) {
	GinkgoHelper()
	Expect(c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"},
		Data:       map[string][]byte{"oa-secret-key": []byte("placeholder-oa-secret-key")},
	})).To(Succeed())
}

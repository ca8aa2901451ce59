package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

var _ = Describe("A foreign admission policy that changes what the operator writes", func() {
	var (
		namespace string
		watch     *ahead
	)
	with := func(s *setup) { s.Clock = watch }
	BeforeEach(func(ctx context.Context) {
		namespace, watch = newNamespace(ctx), &ahead{}
		newSecrets(ctx, namespace)
	})
	contested := func(ctx context.Context, c *v1alpha1.ChannelConnector) string {
		found := condition(ctx, c, v1alpha1.ConditionFieldContested)
		return found.Reason + ": " + found.Message
	}
	// staysQuiet expects that further passes write nothing.
	staysQuiet := func(ctx context.Context, op *operator, c *v1alpha1.ChannelConnector) {
		GinkgoHelper()
		becomesReady(ctx, c)
		op.forcePass(ctx, c)
		writes := op.writes.Load()
		for range 10 {
			op.forcePass(ctx, c)
		}
		Expect(op.writes.Load()).To(Equal(writes), "%v", op.written())
	}

	It("is told, and causes no write once that is settled", func(ctx context.Context) {
		theirs := HaveField("Spec.Template.Spec.TerminationGracePeriodSeconds", HaveValue(BeEquivalentTo(99)))
		op := startOperator(namespace, with)
		policy := mutate(ctx, namespace,
			`[JSONPatch{op: "replace", path: "/spec/template/spec/terminationGracePeriodSeconds", value: 99}]`, theirs)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		Eventually(contested).WithArguments(ctx, shop).Should(And(HavePrefix("ChangedOnAdmission: An admission webhook"),
			ContainSubstring(`spec.template.spec.terminationGracePeriodSeconds of Deployment "shop-connector"`)))
		staysQuiet(ctx, op, shop)
		Expect(deploymentOf(ctx, shop).Generation).To(BeEquivalentTo(1), "no pod was replaced")
		all, err := events(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(all).To(ContainElement(And(HaveField("Type", "Warning"), HaveField("Reason", "ChangedOnAdmission"))))

		By("keeping no change of the resource from being written")
		updated(ctx, shop, labelPods)
		Eventually(func() string { return templateOf(deploymentOf(ctx, shop)) }).Should(ContainSubstring(`"team":"chat"`))
		staysQuiet(ctx, op, shop)

		By("trying again when it is due, and ending with the policy")
		Expect(k8s.Delete(ctx, policy)).To(Succeed())
		Eventually(admitted).WithArguments(ctx, namespace).ShouldNot(theirs)
		watch.put(time.Minute)
		op.forcePass(ctx, shop)
		Eventually(deploymentOf).WithArguments(ctx, shop).ShouldNot(theirs)
		watch.put(time.Minute)
		op.forcePass(ctx, shop)
		Eventually(contested).WithArguments(ctx, shop).Should(Equal(": "))
		staysQuiet(ctx, op, shop)
	})

	It("is no contest where it only adds", func(ctx context.Context) {
		theirs := HaveField("Spec.Template.Spec.Hostname", "theirs")
		op := startOperator(namespace, with)
		mutate(ctx, namespace, `[JSONPatch{op: "add", path: "/spec/template/spec/hostname", value: "theirs"}]`, theirs)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(theirs)
		becomesReady(ctx, shop)
		staysSettled(ctx, op, shop)
		Expect(contested(ctx, shop)).To(Equal(": "))
	})
})

// mutate lets the API server change each Deployment of a namespace that is written, by an expression of CEL that makes
// a JSON patch. It waits until it does; deleting what it returns ends it.
func mutate(ctx context.Context, namespace, patch string, changed OmegaMatcher) *admissionv1.MutatingAdmissionPolicyBinding {
	GinkgoHelper()
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
				}}},
			},
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeJSONPatch, JSONPatch: &admissionv1.JSONPatch{Expression: patch},
			}},
		},
	}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec:       admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: namespace},
	}
	Expect(k8s.Create(ctx, policy)).To(Succeed())
	Expect(k8s.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(k8s.Delete(ctx, policy)).To(Succeed())
		_ = k8s.Delete(ctx, binding)
	})
	Eventually(admitted).WithArguments(ctx, namespace).Should(changed)
	return binding
}

// admitted is a Deployment as the API server would store it.
func admitted(ctx context.Context, namespace string) (*appsv1.Deployment, error) {
	labels := map[string]string{"app": "probe"}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}},
			},
		},
	}
	return d, k8s.Create(ctx, d, client.DryRunAll)
}

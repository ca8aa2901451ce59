package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

var _ = Describe("A foreign admission webhook that does not answer", func() {
	var (
		namespace string
		hook      *admissionv1.ValidatingWebhookConfiguration
	)
	// asks asks the API server whether it asks the webhook, of which it hears a little later than the writer.
	asks := func(ctx context.Context, namespace string) error {
		return k8s.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "asks"}}, client.DryRunAll)
	}
	// fails lets every write of a kind in the namespace fail.
	fails := func(ctx context.Context, group, resource string) {
		GinkgoHelper()
		hook = &admissionv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "away-"},
			Webhooks: []admissionv1.ValidatingWebhook{{
				Name: "away.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionv1.SideEffectClassNone),
				FailurePolicy: new(admissionv1.Fail), TimeoutSeconds: new(int32(1)),
				ClientConfig:      admissionv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/")},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				Rules: []admissionv1.RuleWithOperations{{
					Operations: []admissionv1.OperationType{admissionv1.OperationAll},
					Rule:       admissionv1.Rule{APIGroups: []string{group, ""}, APIVersions: []string{"*"}, Resources: []string{resource, "configmaps"}},
				}},
			}},
		}
		Expect(k8s.Create(ctx, hook)).To(Succeed())
		Eventually(asks).WithArguments(ctx, namespace).Should(MatchError(ContainSubstring("away.example.com")))
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, hook))).To(Succeed()) })
	}
	BeforeEach(func(ctx context.Context) { namespace = newNamespace(ctx) })

	DescribeTable("is named in the status of a new resource at once, beside what is known:",
		func(ctx context.Context, group, resource string) {
			startOperator(namespace)
			fails(ctx, group, resource)
			shop := newConnector(namespace, "shop")
			shop.Spec.Webhook.APIKeys = nil
			created(ctx, shop)
			Eventually(readyCondition).WithArguments(ctx, shop).Should(And(HaveField("Status", metav1.ConditionFalse),
				HaveField("Message", ContainSubstring("away.example.com"))))
			Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionCredentialsResolved).Should(And(
				HaveField("Status", metav1.ConditionFalse), HaveField("Message", ContainSubstring(`Secret "shop-zalo" does not exist`))))

			By("which follows what becomes of it")
			Expect(k8s.Delete(ctx, hook)).To(Succeed())
			Eventually(asks).WithArguments(ctx, namespace).Should(Succeed())
			newSecrets(ctx, namespace)
			Eventually(func(g Gomega) {
				g.Expect(say(ctx, shop, rolledOut)).To(Succeed())
				g.Expect(readyCondition(ctx, shop)).To(beTrue)
			}).WithTimeout(recovers).Should(Succeed())
		},
		Entry("Secrets", "", "secrets"),
		Entry("ServiceAccounts", "", "serviceaccounts"),
		Entry("Deployments", "apps", "deployments"),
	)

	It("leaves no verdict standing that is no longer true", func(ctx context.Context) {
		startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionCredentialsResolved).
			Should(HaveField("Message", ContainSubstring("shop-xbot")))
		fails(ctx, "apps", "deployments")
		updated(ctx, shop, labelPods) // so that every pass has something to write
		newSecrets(ctx, namespace)
		Eventually(condition).WithTimeout(recovers).WithArguments(ctx, shop, v1alpha1.ConditionCredentialsResolved).Should(beTrue)
		Eventually(readyCondition).WithTimeout(recovers).WithArguments(ctx, shop).Should(And(
			HaveField("Reason", "ApplyFailed"), HaveField("Message", ContainSubstring("away.example.com"))))
	})
})

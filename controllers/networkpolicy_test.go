package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

var _ = Describe("A NetworkPolicy", func() {
	var (
		shop *v1alpha1.ChannelConnector
		op   *operator
	)
	BeforeEach(func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op = startOperator(namespace, func(s *setup) { s.OperatorNamespace = "xbot-system" })
		shop = newConnector(namespace, "shop")
		shop.Spec.Workload.NetworkPolicy = nil
	})
	policy := func(ctx context.Context) func() (*networkingv1.NetworkPolicy, error) {
		return func() (*networkingv1.NetworkPolicy, error) {
			found := &networkingv1.NetworkPolicy{}
			return found, k8s.Get(ctx, childKey(shop), found)
		}
	}
	named := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": name}}
	}

	It("is made when it is asked for, follows the resource, and goes with the wish", func(ctx context.Context) {
		created(ctx, shop)
		becomesReady(ctx, shop)
		_, err := policy(ctx)()
		Expect(err).To(MatchError(ContainSubstring("not found")))

		patched(ctx, shop.DeepCopy(), `{"spec":{"workload":{"networkPolicy":{}}}}`)
		Eventually(policy(ctx)).Should(And(ownedBy(shop),
			HaveField("Spec.PodSelector.MatchLabels", deploymentOf(ctx, shop).Spec.Selector.MatchLabels)))
		staysSettled(ctx, op, shop)

		// What the API server fills in, such as a protocol, is no difference.
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Workload.NetworkPolicy = &v1alpha1.NetworkPolicy{
				WebhookFrom: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: named("gateways"), PodSelector: &metav1.LabelSelector{}}},
				MetricsFrom: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.0/24", Except: []string{"192.0.2.7/32"}}}},
				Egress:      []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromInt32(3128))}}}, {}},
			}
		})
		Eventually(policy(ctx)).Should(HaveField("Spec.Egress", ContainElement(HaveField("Ports",
			ConsistOf(HaveField("Port", HaveValue(Equal(intstr.FromInt32(3128)))))))))
		live, err := policy(ctx)()
		Expect(err).NotTo(HaveOccurred())
		Expect(live.Spec.Ingress).To(ConsistOf(
			HaveField("From", ConsistOf(HaveField("NamespaceSelector", named("gateways")))),
			HaveField("From", ConsistOf(
				HaveField("IPBlock.CIDR", "192.0.2.0/24"),
				And(HaveField("NamespaceSelector", named("xbot-system")),
					HaveField("PodSelector.MatchLabels", HaveKeyWithValue("app.kubernetes.io/name", "channel-connector-operator"))))),
		))
		staysSettled(ctx, op, shop)

		patched(ctx, shop.DeepCopy(), `{"spec":{"workload":{"networkPolicy":null}}}`)
		Eventually(k8s.Get).WithArguments(ctx, childKey(shop), &networkingv1.NetworkPolicy{}).Should(MatchError(ContainSubstring("not found")))
		staysSettled(ctx, op, shop)
	})

	It("that the API server refuses is told, and no pod runs without it", func(ctx context.Context) {
		shop.Spec.Workload.NetworkPolicy = &v1alpha1.NetworkPolicy{
			WebhookFrom: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "everywhere"}}},
		}
		created(ctx, shop)
		Eventually(readyCondition).WithArguments(ctx, shop).Should(And(HaveField("Reason", "ApplyRefused"),
			HaveField("Message", And(ContainSubstring(`NetworkPolicy "shop-connector"`), ContainSubstring("everywhere")))))
		Expect(k8s.Get(ctx, childKey(shop), &corev1.Service{})).NotTo(Succeed())
		Expect(condition(ctx, shop, v1alpha1.ConditionWorkloadAvailable).Reason).To(Equal("NotCreated"))
	})
})

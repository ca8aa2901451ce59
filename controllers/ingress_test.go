package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// defaultClass makes an IngressClass that is filled in where none is declared, until the spec ends.
func defaultClass(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{
		Name: name, Annotations: map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"},
	}, Spec: networkingv1.IngressClassSpec{Controller: "example.com/" + name}}
	Expect(k8s.Create(ctx, class)).To(Succeed())
	filledIn := func(ctx context.Context) (string, error) {
		probe := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}}
		probe.Spec.Rules = []networkingv1.IngressRule{{Host: "probe.example.com"}}
		err := k8s.Create(ctx, probe, client.DryRunAll)
		return ptr.Deref(probe.Spec.IngressClassName, ""), err
	}
	Eventually(filledIn).WithArguments(ctx).Should(Equal(name))
	DeferCleanup(func(ctx context.Context) {
		Expect(k8s.Delete(ctx, class)).To(Succeed())
		Eventually(filledIn).WithArguments(ctx).Should(BeEmpty())
	})
}

var _ = Describe("The class of an Ingress", func() {
	It("makes the Ingress again when it changes, so that no old address stays", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := newConnector(namespace, "shop")
		shop.Spec.Exposure = ingressOf(hooks)
		shop.Spec.Exposure.Ingress.ClassName = "first"
		created(ctx, shop)
		becomesReady(ctx, shop)
		exposed := func() string { return exposureOf(ctx, shop) }
		declares := func(class string) {
			GinkgoHelper()
			updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Exposure.Ingress.ClassName = class })
		}
		classOf := func() (string, error) {
			ingress := &networkingv1.Ingress{}
			err := k8s.Get(ctx, childKey(shop), ingress)
			return ptr.Deref(ingress.Spec.IngressClassName, ""), err
		}
		uid := func() types.UID { GinkgoHelper(); return child(ctx, shop, &networkingv1.Ingress{}).UID }
		hasAddress(ctx, shop)
		Eventually(exposed).Should(HavePrefix("True Exposed: "))
		made := uid()

		By("waiting for its controller's finalizer")
		patched(ctx, child(ctx, shop, &networkingv1.Ingress{}), `{"metadata":{"finalizers":["example.com/cleanup"]}}`)
		declares("second")
		Eventually(exposed).Should(And(HavePrefix("Unknown Pending: "), ContainSubstring("is being deleted")))
		Expect(classOf()).To(Equal("first"), "its controller cleans up what is still its own")
		staysSettled(ctx, op, shop)
		patched(ctx, child(ctx, shop, &networkingv1.Ingress{}), `{"metadata":{"finalizers":[]}}`)
		Eventually(exposed).Should(And(HavePrefix("Unknown Pending: "), ContainSubstring(`class "second"`)))
		Expect(classOf()).To(Equal("second"))
		Expect(uid()).NotTo(Equal(made))
		hasAddress(ctx, shop)
		Eventually(exposed).Should(HavePrefix("True Exposed: "))
		staysSettled(ctx, op, shop)

		By("putting back what somebody else changes, in its place")
		made = uid()
		patched(ctx, child(ctx, shop, &networkingv1.Ingress{}), `{"spec":{"ingressClassName":"theirs"}}`)
		Eventually(classOf).Should(Equal("second"))
		Expect(uid()).To(Equal(made))

		By("the cluster's default, which is filled in when an Ingress is made")
		defaultClass(ctx, namespace, "usual")
		declares("")
		Eventually(classOf).Should(Equal("usual"))
		Eventually(exposed).Should(And(HavePrefix("Unknown Pending: "), ContainSubstring("default class")))
		Expect(uid()).NotTo(Equal(made))
		hasAddress(ctx, shop)
		Eventually(exposed).Should(HavePrefix("True Exposed: "))
		staysSettled(ctx, op, shop)

		By("declaring what it has already")
		made = uid()
		declares("usual")
		Eventually(observedGeneration).WithArguments(ctx, shop).Should(Equal(shop.Generation))
		staysSettled(ctx, op, shop)
		Expect(uid()).To(Equal(made))
		Expect(exposed()).To(HavePrefix("True Exposed: "))
	})
})

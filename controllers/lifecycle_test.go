package controllers_test

import (
	"context"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// childKinds returns an empty object of each kind that the resource of newConnector has as a child of the name
// <name>-connector.
func childKinds() (all []client.Object) {
	GinkgoHelper()
	in := children.Input{Connector: connectortest.New(GinkgoTB(), `workload: {networkPolicy: {}}`), Config: &render.Config{}}
	for _, child := range children.Build(children.Kinds, in) {
		all = append(all, child.Kind.New())
	}
	return all
}

// haveChildren waits until every child is there.
func haveChildren(ctx context.Context, c *v1alpha1.ChannelConnector) {
	GinkgoHelper()
	for _, child := range childKinds() {
		Eventually(k8s.Get).WithArguments(ctx, childKey(c), child).Should(Succeed())
	}
}

// ownedBy matches an object that is deleted together with a resource.
func ownedBy(c *v1alpha1.ChannelConnector) OmegaMatcher {
	return WithTransform(client.Object.GetOwnerReferences, ConsistOf(gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
		"Kind": Equal("ChannelConnector"), "Name": Equal(c.Name), "UID": Equal(c.UID),
		"Controller": gstruct.PointTo(BeTrue()), "BlockOwnerDeletion": gstruct.PointTo(BeTrue()),
	})))
}

// withoutOwner matches an object that outlives its resource.
var withoutOwner = WithTransform(client.Object.GetOwnerReferences, BeEmpty())

// child returns an object with the name of a child; the caller says which kind.
func child[T client.Object](ctx context.Context, c *v1alpha1.ChannelConnector, object T) T {
	GinkgoHelper()
	Expect(k8s.Get(ctx, childKey(c), object)).To(Succeed())
	return object
}

var _ = Describe("A new resource", func() {
	It("gets its children, becomes Ready when its pod does, and then causes no write", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))

		haveChildren(ctx, shop)
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "Starting"))
		Expect(op.writes.Load()).To(BeNumerically("<=", 5+1+1), "%v", op.written())

		becomesReady(ctx, shop)
		writes := settle(op)
		Consistently(op.writes.Load, "1s").Should(Equal(writes), "%v", op.written())
		Eventually(readiness).WithArguments(namespace, "shop").Should(Equal([]string{"False Starting", "True Ready"}))
	})

	It("tells with an event what keeps its pod from coming up, before waiting is in vain", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		says(ctx, shop, func(d *appsv1.Deployment) { d.Status.ObservedGeneration = d.Generation })
		pod := newPod(ctx, shop)
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "no memory left",
		}}
		Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionReconciling).Should(HaveField("Reason", "Unschedulable"))
		Eventually(events).WithArguments(ctx, namespace).Should(ContainElement(And(
			HaveField("Reason", "Unschedulable"), HaveField("Type", "Warning"), HaveField("Note", ContainSubstring("no memory left")))))
		Expect(events(ctx, namespace)).NotTo(ContainElement(HaveField("Reason", "Starting")))
	})

	It("can be scaled, and tells of no pods, from its first status on", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "Starting"))

		raw := minimal(shop)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(shop), raw)).To(Succeed())
		Expect(raw.Object["status"]).To(HaveKeyWithValue("replicas", BeEquivalentTo(0)))
		scale := &autoscalingv1.Scale{}
		Expect(k8s.SubResource("scale").Get(ctx, shop, scale)).To(Succeed())
		Expect(scale.Spec.Replicas).To(BeEquivalentTo(1))
		Expect(scale.Status.Selector).To(Equal(labels.FormatLabels(deploymentOf(ctx, shop).Spec.Selector.MatchLabels)))
	})

	It("gets an API key when it names none", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		shop := newConnector(namespace, "shop")
		shop.Spec.Webhook.APIKeys = nil
		created(ctx, shop)

		haveChildren(ctx, shop)
		Expect(generatedKey(ctx, shop)).To(MatchRegexp("^[0-9a-f]{64}$"))
		becomesReady(ctx, shop)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(shop), shop)).To(Succeed())
		Expect(shop.Status.APIKeySecretName).To(Equal("shop-api-key"))
		Eventually(events).WithArguments(ctx, namespace).
			Should(ContainElement(And(HaveField("Reason", "APIKeyGenerated"), HaveField("Note", ContainSubstring(`Secret "shop-api-key"`)))))
	})

	It("with an Ephemeral inbox gets a volume of its pod's own, and no claim", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		shop := newConnector(namespace, "shop")
		shop.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{Storage: v1alpha1.StorageEphemeral, Size: resource.MustParse("256Mi")}
		created(ctx, shop)
		deployment := deploymentOf(ctx, shop)
		Expect(templateOf(deployment)).To(ContainSubstring(`"emptyDir":{"sizeLimit":"640Mi"}`))
		Expect(deployment.Spec.Strategy.Type).To(Equal(appsv1.RollingUpdateDeploymentStrategyType))
		becomesReady(ctx, shop)
		Expect(k8s.Get(ctx, childKey(shop), &corev1.PersistentVolumeClaim{})).To(MatchError(ContainSubstring("not found")))
	})
})

var _ = Describe("A deleted resource", func() {
	It("takes its children along by owner references alone, and leaves the inbox and the API key", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := newConnector(namespace, "shop")
		shop.Spec.Webhook.APIKeys = nil
		created(ctx, shop)
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)

		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(shop), shop)).To(Succeed())
		Expect(shop.Finalizers).To(BeEmpty())
		for _, object := range childKinds() {
			if _, inbox := object.(*corev1.PersistentVolumeClaim); inbox {
				Expect(child(ctx, shop, object)).To(withoutOwner)
			} else {
				Expect(child(ctx, shop, object)).To(ownedBy(shop))
			}
		}
		Expect(apiKeySecret(ctx, shop)).To(withoutOwner)

		writes := settle(op)
		Expect(k8s.Delete(ctx, shop)).To(Succeed())
		Eventually(k8s.Get).WithArguments(ctx, client.ObjectKeyFromObject(shop), shop).Should(MatchError(ContainSubstring("not found")))
		Consistently(op.writes.Load, "500ms").Should(Equal(writes), "%v", op.written())
	})

	It("takes the inbox along when its annotation says so, and no longer when it does not", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		inbox := func() (client.Object, error) {
			claim := &corev1.PersistentVolumeClaim{}
			return claim, k8s.Get(ctx, childKey(shop), claim)
		}

		annotated(ctx, shop.DeepCopy(), map[string]string{marks.AnnotationDeleteInbox: "true"})
		Eventually(inbox).Should(ownedBy(shop))
		annotated(ctx, shop.DeepCopy(), map[string]string{marks.AnnotationDeleteInbox: "false"})
		Eventually(inbox).Should(withoutOwner)
	})

	It("is left alone while it waits for its children to go", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		writes := settle(op)

		Expect(k8s.Delete(ctx, shop, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		op.knowsDeleted(ctx, shop)
		Expect(k8s.Delete(ctx, child(ctx, shop, &corev1.Service{}))).To(Succeed())
		Consistently(op.writes.Load, "500ms").Should(Equal(writes), "%v", op.written())
		patched(ctx, shop, `{"metadata":{"finalizers":[]}}`)
	})

	It("is created again at once: it takes over what the one before left, the API key as well", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		before := newConnector(namespace, "shop")
		before.Spec.Webhook.APIKeys = nil
		before.Annotations = map[string]string{marks.AnnotationDeleteInbox: "true"}
		created(ctx, before)
		haveChildren(ctx, before)
		becomesReady(ctx, before)
		key := generatedKey(ctx, before)
		uid := child(ctx, before, &appsv1.Deployment{}).UID

		Expect(k8s.Delete(ctx, before)).To(Succeed())
		after := newConnector(namespace, "shop")
		after.Spec.Webhook.APIKeys = nil
		labelPods(after)
		created(ctx, after)
		Eventually(func(g Gomega) {
			for _, object := range childKinds() {
				g.Expect(k8s.Get(ctx, childKey(after), object)).To(Succeed())
				if _, inbox := object.(*corev1.PersistentVolumeClaim); inbox {
					g.Expect(object).To(withoutOwner)
				} else {
					g.Expect(object).To(ownedBy(after))
				}
			}
		}).Should(Succeed())

		deployment := child(ctx, after, &appsv1.Deployment{})
		Expect(deployment.UID).To(Equal(uid))
		Expect(deployment.Spec.Template.Labels).To(HaveKeyWithValue("team", "chat"))
		Expect(condition(ctx, after, v1alpha1.ConditionUpdatePending).Status).To(BeEmpty())
		Expect(generatedKey(ctx, after)).To(Equal(key))
		becomesReady(ctx, after)
	})

	It("never leaves its status to the one that is created again under its name", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		held := holdFirst(func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/channelconnectors/shop/status") })
		op := startOperator(namespace, func(s *setup) { s.wire.inject(held.fault) })
		before := newConnector(namespace, "shop")
		before.Spec.Webhook.APIKeys = nil
		created(ctx, before)
		Eventually(held.begun).Should(BeClosed())
		Expect(k8s.Delete(ctx, before)).To(Succeed())
		after := created(ctx, newConnector(namespace, "shop"))
		close(held.release)

		becomesReady(ctx, after)
		for _, c := range seen(namespace, "shop") {
			if c.UID == after.UID {
				Expect(c.Status.APIKeySecretName).To(BeEmpty())
			}
		}
		Expect(op.log.lines("ERROR")).To(BeEmpty())
		staysSettled(ctx, op, after)
	})

	It("with its namespace is not created again, and no event tells of errors", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		settle(op)

		// Nobody empties a namespace here, so it stays as it is in between.
		Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		requests := op.requests.Load()
		Expect(k8s.Delete(ctx, child(ctx, shop, &corev1.Service{}))).To(Succeed())
		Consistently(readyCondition, "1s").WithArguments(ctx, shop).Should(HaveField("Reason", "Ready"))
		Expect(op.requests.Load()).To(BeNumerically("<", requests+30), "no hot loop")
		Expect(op.log.lines("ERROR")).To(BeEmpty())
	})
})

var _ = Describe("A resource of 0 replicas", func() {
	It("keeps its inbox, is Ready, and starts again", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)

		patched(ctx, shop.DeepCopy(), `{"spec":{"workload":{"replicas":0}}}`)
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "ScalingDown"))
		says(ctx, shop, rolledOut)
		Eventually(readyCondition).WithArguments(ctx, shop).
			Should(And(HaveField("Status", BeEquivalentTo("True")), HaveField("Reason", "ScaledToZero")))
		Expect(child(ctx, shop, &corev1.PersistentVolumeClaim{}).DeletionTimestamp).To(BeNil())

		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 1}}
		Expect(k8s.SubResource("scale").Update(ctx, shop.DeepCopy(), client.WithSubResourceBody(scale))).To(Succeed())
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(HaveField("Spec.Replicas", gstruct.PointTo(BeEquivalentTo(1))))
		becomesReady(ctx, shop)
	})
})

// apiKeySecret returns the Secret with the generated API key.
func apiKeySecret(ctx context.Context, c *v1alpha1.ChannelConnector) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Eventually(k8s.Get).WithArguments(ctx, client.ObjectKey{Namespace: c.Namespace, Name: children.APIKeyName(c.Name)}, secret).
		Should(Succeed())
	return secret
}

func generatedKey(ctx context.Context, c *v1alpha1.ChannelConnector) string {
	GinkgoHelper()
	return string(apiKeySecret(ctx, c).Data["xp-api-key"])
}

package controllers_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

var _ = Describe("Drift", func() {
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		op        *operator
	)
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		op = startOperator(namespace)
		shop = created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		settle(op)
	})

	It("of a deleted child is put back, each of them", func(ctx context.Context) {
		for _, object := range childKinds() {
			live := child(ctx, shop, object)
			live.SetFinalizers(nil)
			uid := live.GetUID()
			Expect(k8s.Update(ctx, live)).To(Succeed()) // nobody is here to release a claim
			Expect(k8s.Delete(ctx, live)).To(Succeed())
			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(ctx, childKey(shop), object)).To(Succeed())
				g.Expect(object.GetUID()).NotTo(Equal(uid))
			}).Should(Succeed(), "%T", object)
		}
		becomesReady(ctx, shop)
	})

	DescribeTable("of an edited child is put back:",
		func(ctx context.Context, object client.Object, patch string, drifted, mended OmegaMatcher) {
			before := child(ctx, shop, object).GetResourceVersion()
			Expect(object).To(mended)
			patched(ctx, object, patch)
			Expect(object).To(drifted)
			Eventually(func() (client.Object, error) { return object, k8s.Get(ctx, childKey(shop), object) }).Should(mended)
			Expect(object.GetResourceVersion()).NotTo(Equal(before))
			becomesReady(ctx, shop)
			staysSettled(ctx, op, shop)
		},
		Entry("the configuration's data", &corev1.Secret{}, `{"data":{"v1alpha1.yaml":"e30="}}`,
			HaveField("Data", HaveKeyWithValue("v1alpha1.yaml", []byte("{}"))),
			HaveField("Data", HaveKeyWithValue("v1alpha1.yaml", ContainSubstring("appID")))),
		Entry("the configuration taken away", &corev1.Secret{}, `{"data":null}`,
			HaveField("Data", BeEmpty()), HaveField("Data", HaveKey("v1alpha1.yaml"))),
		Entry("a ServiceAccount with a token", &corev1.ServiceAccount{}, `{"automountServiceAccountToken":true}`,
			HaveField("AutomountServiceAccountToken", HaveValue(BeTrue())), HaveField("AutomountServiceAccountToken", HaveValue(BeFalse()))),
		Entry("a Service that leads elsewhere", &corev1.Service{}, `{"spec":{"selector":{"app.kubernetes.io/instance":"other"}}}`,
			HaveField("Spec.Selector", HaveKeyWithValue(marks.LabelInstance, "other")),
			HaveField("Spec.Selector", HaveKeyWithValue(marks.LabelInstance, "shop"))),
		Entry("replicas", &appsv1.Deployment{}, `{"spec":{"replicas":3}}`,
			HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(3))), HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(1)))),
		Entry("a wanted field taken away", &appsv1.Deployment{}, `{"spec":{"template":{"spec":{"automountServiceAccountToken":null}}}}`,
			HaveField("Spec.Template.Spec.AutomountServiceAccountToken", BeNil()),
			HaveField("Spec.Template.Spec.AutomountServiceAccountToken", HaveValue(BeFalse()))),
		Entry("the number of the Service's port", &corev1.Service{}, `{"spec":{"ports":[{"name":"http","port":8080}]}}`,
			HaveField("Spec.Ports", ConsistOf(HaveField("Port", BeEquivalentTo(8080)))),
			HaveField("Spec.Ports", ConsistOf(HaveField("Port", BeEquivalentTo(80))))),
		Entry("the numbers of the container's ports", &appsv1.Deployment{}, `{"spec":{"template":{"spec":{"containers":[
				{"name":"connector","image":"theirs","ports":[{"name":"http","containerPort":9001},{"name":"metrics","containerPort":9002}]}]}}}}`,
			HaveField("Spec.Template.Spec.Containers",
				ConsistOf(HaveField("Ports", ContainElement(HaveField("ContainerPort", BeEquivalentTo(9001)))))),
			HaveField("Spec.Template.Spec.Containers", ConsistOf(And(
				HaveField("Image", connectorImage), HaveField("LivenessProbe", Not(BeNil())),
				HaveField("Ports", ConsistOf(HaveField("ContainerPort", BeEquivalentTo(8080)), HaveField("ContainerPort", BeEquivalentTo(9090)))))))),
		Entry("a label taken away", &corev1.Service{}, `{"metadata":{"labels":{"app.kubernetes.io/part-of":null}}}`,
			HaveField("Labels", Not(HaveKey(marks.LabelPartOf))), HaveField("Labels", HaveKey(marks.LabelPartOf))),
		Entry("the label by which it is found taken away", &corev1.Service{}, `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`,
			HaveField("Labels", Not(HaveKey(marks.LabelManagedBy))), HaveField("Labels", HaveKey(marks.LabelManagedBy))),
		Entry("an orphan: its owner taken away", &appsv1.Deployment{}, `{"metadata":{"ownerReferences":null}}`,
			HaveField("OwnerReferences", BeEmpty()), HaveField("OwnerReferences", HaveLen(1))),
		Entry("the digest taken away", &corev1.PersistentVolumeClaim{}, `{"metadata":{"annotations":{"xbot.a4b.vn/applied":null}}}`,
			HaveField("Annotations", Not(HaveKey("xbot.a4b.vn/applied"))), HaveField("Annotations", HaveKey("xbot.a4b.vn/applied"))),
	)

	It("that server-side apply could not put back keeps no field that is later left out", func(ctx context.Context) {
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Workload.NodeSelector = map[string]v1alpha1.LabelValue{"zone": "a"}
		})
		selector := HaveField("Spec.Template.Spec.NodeSelector", HaveKeyWithValue("zone", "a"))
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(selector)
		settle(op)
		patched(ctx, deploymentOf(ctx, shop), `{"spec":{"template":{"spec":{"nodeSelector":{"zone":"b"},"containers":[
			{"name":"connector","image":"theirs","ports":[{"name":"http","containerPort":9001},{"name":"metrics","containerPort":9002}]}]}}}}`)
		Eventually(deploymentOf).WithArguments(ctx, shop).
			Should(And(selector, HaveField("Spec.Template.Spec.Containers", ConsistOf(HaveField("Image", connectorImage)))))
		settle(op)

		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Workload.NodeSelector = nil })
		Eventually(deploymentOf).WithArguments(ctx, shop).ShouldNot(selector)
		becomesReady(ctx, shop)
	})

	It("of a scaled Deployment is put back, whatever scales it", func(ctx context.Context) {
		scale := child(ctx, shop, &appsv1.Deployment{})
		scale.Spec.Replicas = new(int32(5))
		Expect(k8s.Update(ctx, scale, client.FieldOwner("horizontal-pod-autoscaler"))).To(Succeed())
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(1))))
	})

	It("of the configuration is told to the pods, which may have read it", func(ctx context.Context) {
		pod := newPod(ctx, shop)
		aSecondPasses(pod.CreationTimestamp)
		patched(ctx, child(ctx, shop, &corev1.Secret{}), `{"data":{"v1alpha1.yaml":"e30="}}`)
		Eventually(touchesOf).WithArguments(ctx, shop).Should(ConsistOf(MatchRegexp("-[123]$")))
	})

	It("is none when others add labels, annotations and fields of their own", func(ctx context.Context) {
		writes := op.writes.Load()
		for _, object := range childKinds() {
			patched(ctx, child(ctx, shop, object), `{"metadata":{"labels":{"example.com/team":"chat"},"annotations":{"example.com/note":"ours"}}}`)
		}
		patched(ctx, child(ctx, shop, &appsv1.Deployment{}),
			`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
		becomesReady(ctx, shop)
		updated(ctx, shop, labelPods)
		Eventually(func() string { return templateOf(deploymentOf(ctx, shop)) }).
			Should(And(ContainSubstring(`"team":"chat"`), ContainSubstring("restartedAt")))
		for _, object := range childKinds() {
			live := child(ctx, shop, object)
			Expect(live.GetLabels()).To(HaveKeyWithValue("example.com/team", "chat"))
			Expect(live.GetAnnotations()).To(HaveKeyWithValue("example.com/note", "ours"))
		}
		becomesReady(ctx, shop)
		// The Deployment once, and the status twice for each of the two roll-outs.
		Expect(settle(op)-writes).To(BeNumerically("<=", 1+2+2), "%v", op.written())
	})

	It("of the status is put back", func(ctx context.Context) {
		live := shop.DeepCopy()
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(shop), live)).To(Succeed())
		good := live.Status.DeepCopy()
		live.Status.Selector, live.Status.Address = "", nil
		Expect(k8s.Status().Update(ctx, live)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(shop), live)).To(Succeed())
			g.Expect(&live.Status).To(Equal(good))
		}).Should(Succeed())
	})

	It("of a claim that was made larger is none: volumes do not shrink", func(ctx context.Context) {
		class := &storagev1.StorageClass{
			ObjectMeta: metav1.ObjectMeta{Name: namespace}, Provisioner: "example.com/none", AllowVolumeExpansion: new(true),
		}
		Expect(k8s.Create(ctx, class)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(k8s.Delete(ctx, class)).To(Succeed()) })
		large := newConnector(namespace, "large")
		large.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{StorageClassName: namespace}
		created(ctx, large)
		haveChildren(ctx, large)
		becomesReady(ctx, large)
		claim := child(ctx, large, &corev1.PersistentVolumeClaim{})
		claim.Status.Phase = corev1.ClaimBound
		Expect(k8s.Status().Update(ctx, claim)).To(Succeed())
		claim.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("10Gi")
		Expect(k8s.Update(ctx, claim)).To(Succeed())

		updated(ctx, large, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.AppID = "42" })
		Eventually(observedGeneration).WithArguments(ctx, large).Should(Equal(large.Generation))
		becomesReady(ctx, large)
		Expect(child(ctx, large, claim).Spec.Resources.Requests.Storage().String()).To(Equal("10Gi"))
		staysSettled(ctx, op, large)
	})
})

var _ = Describe("A ServiceAccount that is no longer wanted", func() {
	It("is deleted, but never a foreign one", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Workload.ServiceAccountName = "mine" })
		Eventually(k8s.Get).WithArguments(ctx, childKey(shop), &corev1.ServiceAccount{}).Should(MatchError(ContainSubstring("not found")))
		Expect(deploymentOf(ctx, shop).Spec.Template.Spec.ServiceAccountName).To(Equal("mine"))

		for _, labels := range []map[string]string{nil, children.Labels("shop")} {
			foreign := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-connector", Labels: labels}}
			Expect(k8s.Create(ctx, foreign)).To(Succeed())
			op.forcePass(ctx, shop)
			Expect(child(ctx, shop, &corev1.ServiceAccount{}).UID).To(Equal(foreign.UID), fmt.Sprint(labels))
			Expect(k8s.Delete(ctx, foreign)).To(Succeed())
		}
	})

	It("stays while its name is the wanted one, and while the pods still use it", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		uid := child(ctx, shop, &corev1.ServiceAccount{}).UID
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Workload.ServiceAccountName = "shop-connector" })
		Eventually(observedGeneration).WithArguments(ctx, shop).Should(Equal(shop.Generation))
		Expect(child(ctx, shop, &corev1.ServiceAccount{}).UID).To(Equal(uid))

		By("not reaching the Deployment, which a policy keeps from being written")
		policy := refuse(ctx, deploymentOf(ctx, shop), "deployments", "false")
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Workload.ServiceAccountName = "mine" })
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "ApplyRefused"))
		Expect(child(ctx, shop, &corev1.ServiceAccount{}).UID).To(Equal(uid))
		Expect(k8s.Delete(ctx, policy)).To(Succeed())
		Eventually(k8s.Get).WithArguments(ctx, childKey(shop), &corev1.ServiceAccount{}).Should(MatchError(ContainSubstring("not found")))
	})
})

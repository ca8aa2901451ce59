package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

// nameTaken matches a Ready condition that says whose name it is, and that a person must help.
func nameTaken(kind, whose string) OmegaMatcher {
	return And(HaveField("Status", BeEquivalentTo("False")), HaveField("Reason", "NameTaken"), HaveField("Message",
		Equal(kind+` "shop-connector" exists and `+whose+`: delete it, or give the ChannelConnector another name`)))
}

var _ = Describe("A name that a foreign object has", func() {
	DescribeTable("is never taken over, and given up again:", func(ctx context.Context, kind string, foreign client.Object) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		for _, of := range []struct {
			whose  string
			labels map[string]string
			owner  []metav1.OwnerReference
		}{
			{whose: "was not made by the operator"},
			{whose: `belongs to ReplicaSet "other"`, labels: children.Labels("shop"), owner: controlledBy("apps/v1", "ReplicaSet", "other")},
			{
				whose: `belongs to ChannelConnector "other"`, labels: children.Labels("shop"),
				owner: controlledBy("xbot.a4b.vn/v1alpha1", "ChannelConnector", "other"),
			},
			{
				whose: `belongs to ChannelConnector "shop"`, labels: children.Labels("shop"),
				owner: controlledBy("example.com/v1", "ChannelConnector", "shop"),
			},
		} {
			By("being that of an object that " + of.whose)
			object, _ := foreign.DeepCopyObject().(client.Object)
			object.SetNamespace(namespace)
			object.SetName("shop-connector")
			object.SetLabels(of.labels)
			object.SetOwnerReferences(of.owner)
			Expect(k8s.Create(ctx, object)).To(Succeed())
			shop := created(ctx, newConnector(namespace, "shop"))

			Eventually(readyCondition).WithArguments(ctx, shop).Should(nameTaken(kind, of.whose))
			Expect(condition(ctx, shop, v1alpha1.ConditionStalled).Reason).To(Equal("NameTaken"))
			Expect(condition(ctx, shop, v1alpha1.ConditionWorkloadAvailable).Reason).To(Equal("NotCreated"))
			requests := op.requests.Load()
			op.forcePass(ctx, shop)
			Consistently(op.requests.Load, "300ms").Should(BeNumerically("<", requests+30), "no hot loop")
			before := object.GetResourceVersion()
			Expect(child(ctx, shop, object).GetResourceVersion()).To(Equal(before), "it was written")

			release(ctx, object)
			haveChildren(ctx, shop)
			becomesReady(ctx, shop)
			Expect(k8s.Delete(ctx, shop)).To(Succeed())
			op.knowsDeleted(ctx, shop)
			for _, leftover := range childKinds() {
				release(ctx, child(ctx, shop, leftover))
			}
		}
		Expect(op.log.lines("ERROR")).To(BeEmpty())
	},
		Entry("a Secret", "Secret", &corev1.Secret{StringData: map[string]string{"theirs": "theirs"}}),
		Entry("a ServiceAccount", "ServiceAccount", &corev1.ServiceAccount{}),
		Entry("a PersistentVolumeClaim", "PersistentVolumeClaim", &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}}),
		Entry("a NetworkPolicy", "NetworkPolicy", &networkingv1.NetworkPolicy{}),
		Entry("a Service", "Service", &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}),
		Entry("a Deployment", "Deployment", &appsv1.Deployment{Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "theirs"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "theirs"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "theirs", Image: "theirs"}}},
			},
		}}),
	)

	It("comes to be one while the connector serves: that goes on, and it says so", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		becomesReady(ctx, shop)
		patched(ctx, child(ctx, shop, &corev1.Service{}),
			`{"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"other","uid":"1","controller":true}]}}`)

		Eventually(readyCondition).WithArguments(ctx, shop).
			Should(And(HaveField("Reason", "NameTaken"),
				HaveField("Message", HaveSuffix("another name. The last good configuration keeps serving"))))
		Expect(condition(ctx, shop, v1alpha1.ConditionWorkloadAvailable)).To(beTrue)
		patched(ctx, child(ctx, shop, &corev1.Service{}), `{"metadata":{"ownerReferences":null}}`)
		becomesReady(ctx, shop)
	})
})

// controlledBy is an owner reference to an object that need not exist.
func controlledBy(version, kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, UID: "0b1f", Controller: new(true)}}
}

// release deletes an object, a claim as well, which nobody is here to release.
func release(ctx context.Context, object client.Object) {
	GinkgoHelper()
	if len(object.GetFinalizers()) > 0 {
		patched(ctx, object, `{"metadata":{"finalizers":null}}`)
	}
	Expect(k8s.Delete(ctx, object)).To(Succeed())
}

package controllers_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

// There is no controller manager and no kubelet in these specs. They play them: what Deployments and pods say is
// written here.

// deploymentOf returns the Deployment of a resource.
func deploymentOf(ctx context.Context, c *v1alpha1.ChannelConnector) *appsv1.Deployment {
	GinkgoHelper()
	d := &appsv1.Deployment{}
	Eventually(k8s.Get).WithArguments(ctx, childKey(c), d).Should(Succeed())
	return d
}

// childKey is where every child of a resource is.
func childKey(c *v1alpha1.ChannelConnector) client.ObjectKey {
	return client.ObjectKey{Namespace: c.Namespace, Name: children.ConnectorName(c.Name)}
}

// says writes what a Deployment says of itself.
func says(ctx context.Context, c *v1alpha1.ChannelConnector, change func(*appsv1.Deployment)) {
	GinkgoHelper()
	Eventually(say).WithArguments(ctx, c, change).Should(Succeed())
}

func say(ctx context.Context, c *v1alpha1.ChannelConnector, change func(*appsv1.Deployment)) error {
	d := &appsv1.Deployment{}
	if err := k8s.Get(ctx, childKey(c), d); err != nil {
		return err
	}
	before := d.Status.DeepCopy()
	if change(d); equality.Semantic.DeepEqual(*before, d.Status) {
		return nil
	}
	return k8s.Status().Update(ctx, d)
}

// rolledOut is how a Deployment is when every wanted pod is available with the newest template.
func rolledOut(d *appsv1.Deployment) {
	n := *d.Spec.Replicas
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
	}
}

// becomesReady rolls a resource out, after each change of its Deployment, until it says that it is Ready.
func becomesReady(ctx context.Context, c *v1alpha1.ChannelConnector) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(say(ctx, c, rolledOut)).To(Succeed())
		g.Expect(readyCondition(ctx, c)).To(beTrue)
	}).Should(Succeed())
}

// beTrue matches a condition that is True.
var beTrue = WithTransform(func(c *metav1.Condition) string {
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}, HavePrefix("True "))

// newPod makes a pod as the Deployment's controller would.
func newPod(ctx context.Context, c *v1alpha1.ChannelConnector) *corev1.Pod {
	GinkgoHelper()
	template := deploymentOf(ctx, c).Spec.Template
	name := children.ConnectorName(c.Name)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: c.Namespace, GenerateName: name + "-", Labels: template.Labels, Annotations: template.Annotations,
		OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name + "-6d4c", UID: "6d4c", Controller: new(true)},
		},
	}, Spec: template.Spec}
	Expect(k8s.Create(ctx, pod)).To(Succeed())
	return pod
}

// aSecondPasses waits until a time is a second ago. The API server's times have no fractions of a second.
func aSecondPasses(since metav1.Time) {
	GinkgoHelper()
	Eventually(time.Now).Should(BeTemporally(">=", since.Add(time.Second)))
}

// annotated sets annotations of an object as another client would.
func annotated(ctx context.Context, object client.Object, annotations map[string]string) {
	GinkgoHelper()
	body := ""
	for name, value := range annotations {
		body += fmt.Sprintf(",%q:%q", name, value)
	}
	patched(ctx, object, fmt.Sprintf(`{"metadata":{"annotations":{%s}}}`, body[1:]))
}

// patched changes an object with a JSON merge patch as another client would.
func patched(ctx context.Context, object client.Object, patch string) {
	GinkgoHelper()
	Expect(k8s.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner("another"))).To(Succeed())
}

// updated changes a resource as a user does, and once more if the operator wrote the status meanwhile.
func updated(ctx context.Context, c *v1alpha1.ChannelConnector, change func(*v1alpha1.ChannelConnector)) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		change(c)
		return k8s.Update(ctx, minimal(c))
	})).To(Succeed())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
}

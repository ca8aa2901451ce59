package chart_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/installation"
)

// expectPodsTaken checks every pod of a release, hooks included, against the Pod
// Security of its namespace.
func expectPodsTaken(ctx context.Context, all []*unstructured.Unstructured, namespace string) {
	GinkgoHelper()
	pods := 0
	for _, object := range all {
		var spec corev1.PodSpec
		switch object.GetKind() {
		case "Deployment":
			spec = deploymentOf(all).Spec.Template.Spec
		case "Job":
			spec = jobOf(all).Spec.Template.Spec
		case "Pod":
			pod := &corev1.Pod{}
			installation.Convert(object, pod)
			spec = pod.Spec
		default:
			continue
		}
		k8s.ExpectPodTaken(ctx, namespace, spec)
		pods++
	}
	Expect(pods).To(BeNumerically(">=", 2), "the operator's and that of helm test")
}

// deploymentOf is the operator's. Helm writes a namespace into few objects.
func deploymentOf(all []*unstructured.Unstructured) *appsv1.Deployment {
	GinkgoHelper()
	deployment := &appsv1.Deployment{}
	installation.Convert(installation.Only(all, "Deployment"), deployment)
	return deployment
}

func jobOf(all []*unstructured.Unstructured) *batchv1.Job {
	GinkgoHelper()
	job := &batchv1.Job{}
	installation.Convert(installation.Only(all, "Job"), job)
	return job
}

var _ = Describe("The chart", Ordered, func() {
	It("installs an operator for the cluster, with rights that are enough", func(ctx context.Context) {
		k8s.MakeNamespace(ctx, "elsewhere")
		all := objects(ctx, "cluster", "xbot-system")
		expectPodsTaken(ctx, all, "xbot-system")
		k8s.ExpectRightsEnough(ctx, k8s.RunOperator(operator, "xbot-system", deploymentOf(all)), "elsewhere")
	})

	It("installs an operator for a namespace, with rights that are enough and nothing of the cluster's", func(ctx context.Context) {
		k8s.MakeNamespace(ctx, "chat")
		helm(ctx, "install", "own", chart, "--namespace=chat", "--no-hooks", values("namespaced"))
		all := objects(ctx, "own", "chat")
		for _, object := range all {
			mapping, err := k8s.RESTMapper().RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
			Expect(err).NotTo(HaveOccurred())
			Expect(mapping.Scope.Name()).To(BeEquivalentTo("namespace"), "%s %s", object.GetKind(), object.GetName())
			Expect(object.GetNamespace()).To(BeElementOf("", "chat"), "%s %s", object.GetKind(), object.GetName())
		}
		expectPodsTaken(ctx, all, "chat")
		k8s.ExpectRightsEnough(ctx, k8s.RunOperator(operator, "chat", deploymentOf(all)), "chat")
	})

	It("leaves the definition, and what was applied by hand, when it goes", func(ctx context.Context) {
		helm(ctx, "uninstall", "cluster", "--namespace=xbot-system")
		applied := client.ObjectKey{Namespace: "elsewhere", Name: schematest.Resource().GetName()}
		Expect(k8s.Get(ctx, applied, &v1alpha1.ChannelConnector{})).To(Succeed())
		err := k8s.Get(ctx, client.ObjectKey{Namespace: "xbot-system", Name: "cluster-channel-connector-operator"}, &appsv1.Deployment{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})

	It("comes back to the definition that it left", func(ctx context.Context) {
		helm(ctx, "install", "cluster", chart, "--namespace=xbot-system", "--no-hooks")
	})
})

package config_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

var _ = Describe("The NetworkPolicy of the operator", func() {
	It("is for the operator's pods and their port of metrics, and connectors know these pods", func(ctx context.Context) {
		all, policy, deployment := build(ctx, "networkpolicy"), &networkingv1.NetworkPolicy{}, &appsv1.Deployment{}
		installation.Convert(installation.Only(all, "NetworkPolicy"), policy)
		installation.Convert(installation.Only(build(ctx, "default"), "Deployment"), deployment)
		Expect(policy.Namespace).To(Equal(deployment.Namespace))
		Expect(policy.Spec.PodSelector).To(Equal(*deployment.Spec.Selector))
		Expect(policy.Spec.Ingress[0].Ports[0].Port.IntVal).To(Equal(deployment.Spec.Template.Spec.Containers[0].Ports[0].ContainerPort))
		Expect(deployment.Spec.Template.Labels).To(HaveKeyWithValue(marks.LabelName, marks.OperatorName))
		k8s.MakeNamespace(ctx, policy.Namespace)
		k8s.Install(ctx, all)
	})
})

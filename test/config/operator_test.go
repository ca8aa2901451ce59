package config_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"

	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

var _ = DescribeTable("The operator's rights are enough", func(ctx context.Context, folder, namespace string) {
	all := build(ctx, folder)
	k8s.MakeNamespace(ctx, namespace)
	k8s.Install(ctx, all)
	deployment := &appsv1.Deployment{}
	installation.Convert(installation.Only(all, "Deployment"), deployment)
	k8s.ExpectRightsEnough(ctx, k8s.RunOperator(operator, deployment.Namespace, deployment), namespace)
},
	Entry("for the cluster", "default", "elsewhere"),
	Entry("for its own namespace", "namespaced", "chat"),
)

var _ = Describe("An operator without rights in one of its namespaces", func() {
	It("ends, and says where, which one it lacks, and what to do", func(ctx context.Context) {
		const own, foreign = "chat", "foreign"
		all := build(ctx, "namespaced")
		k8s.MakeNamespace(ctx, own)
		k8s.MakeNamespace(ctx, foreign)
		k8s.Install(ctx, all)
		deployment := &appsv1.Deployment{}
		installation.Convert(installation.Only(all, "Deployment"), deployment)
		session := k8s.Run(operator, own, deployment.Spec.Template.Spec,
			"--watch-namespaces="+own+","+foreign, "--leader-election-namespace="+own)
		Eventually(ctx, session).WithTimeout(installation.Soon).Should(gexec.Exit(1))
		Expect(string(session.Err.Contents())).To(And(
			ContainSubstring(`no permission in namespace "foreign": channelconnectors.xbot.a4b.vn is forbidden`),
			ContainSubstring("leave the namespace out of --watch-namespaces"),
			Not(ContainSubstring(`no permission in namespace "chat"`))))
	})
})

var _ = Describe("An operator without the definition of the resource", func() {
	It("ends, and says what to apply", func(ctx context.Context) {
		deployment := &appsv1.Deployment{}
		installation.Convert(installation.Only(build(ctx, "namespaced"), "Deployment"), deployment)
		deployment.Spec.Template.Spec.ServiceAccountName = "" // the administrator
		bare := installation.Start()
		session := bare.Run(operator, "default", deployment.Spec.Template.Spec, "--leader-election-namespace=default")
		Eventually(ctx, session).WithTimeout(installation.Soon).Should(gexec.Exit(1))
		Expect(string(session.Err.Contents())).
			To(ContainSubstring("no CustomResourceDefinition of the ChannelConnector: apply the one of the operator's version"))
	})
})

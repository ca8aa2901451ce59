package config_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"

	"xbot.a4b.vn/channel-connector/test/installation"
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

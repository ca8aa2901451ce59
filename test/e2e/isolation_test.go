//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("Channels in namespaces that take hardened pods only", func() {
	It("serve side by side, each with its own keys", func(ctx context.Context) {
		installOperator(ctx, version)
		first, second := newChannel(ctx), newChannel(ctx)
		Expect(first.Namespace).NotTo(Equal(second.Namespace))
		first.takesTheExample(ctx)
		second.takesTheExample(ctx)
		Expect(first.post(ctx, second.current)).To(Equal(http.StatusUnauthorized))
		Expect(second.post(ctx, first.current)).To(Equal(http.StatusUnauthorized))
	}, SpecTimeout(5*time.Minute))

	It("have NetworkPolicies that the API server takes", func(ctx context.Context) {
		installOperator(ctx, version, "--set", "networkPolicy.enabled=true")
		policies := &networkingv1.NetworkPolicyList{}
		Expect(k8s.List(ctx, policies, client.InNamespace(operatorNamespace))).To(Succeed())
		Expect(policies.Items).NotTo(BeEmpty())
		newChannel(ctx).takesTheExample(ctx)
	}, SpecTimeout(5*time.Minute))
})

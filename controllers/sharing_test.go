package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// warning matches CredentialsResolved with warnings, each of which holds a text.
func warning(texts ...string) OmegaMatcher {
	all := []OmegaMatcher{HaveField("Status", BeEquivalentTo("True")), HaveField("Reason", "ResolvedWithWarnings")}
	for _, text := range texts {
		all = append(all, HaveField("Message", ContainSubstring(text)))
	}
	return And(all...)
}

var _ = Describe("Resources that share their keys", func() {
	It("are warned when that begins, in the same words at every pass, and no longer when it ends", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		resolved := func(c *v1alpha1.ChannelConnector) AsyncAssertion {
			GinkgoHelper()
			return Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionCredentialsResolved)
		}
		first := created(ctx, newConnector(namespace, "first"))
		resolved(first).Should(HaveField("Reason", "Resolved"))
		aSecondPasses(first.CreationTimestamp)
		second := created(ctx, newConnector(namespace, "a-second"))
		aSecondPasses(second.CreationTimestamp)
		third := created(ctx, newConnector(namespace, "a-third"))

		// Each names the oldest of the others.
		resolved(first).Should(warning(`ChannelConnector "a-second" as well`, `Secret "shop-zalo"`, `Secret "shop-xbot"`))
		resolved(second).Should(warning(`ChannelConnector "first" as well`))
		resolved(third).Should(warning(`ChannelConnector "first" as well`))
		writes := settle(op)
		for range 10 {
			op.forcePass(ctx, first)
		}
		Expect(op.writes.Load()).To(Equal(writes), "%v", op.written())

		Expect(k8s.Delete(ctx, second)).To(Succeed())
		resolved(first).Should(warning(`ChannelConnector "a-third" as well`))
		updated(ctx, third, func(c *v1alpha1.ChannelConnector) {
			c.Spec.ZaloOA.Signature.SecretKeyRefs[0].Key = "next"
			c.Spec.Webhook.APIKeys[0].SecretKeyRef.Key = "next"
		})
		resolved(first).Should(HaveField("Reason", "Resolved"))
		resolved(third).Should(HaveField("Reason", "Resolved"))
	})

	It("may share what is the sink's", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		newSinkSecrets(ctx, namespace)
		startOperator(namespace)
		for _, name := range []string{"first", "second"} {
			c := newConnector(namespace, name)
			c.Spec.Sink.HTTP.SigningSecretKeyRef = &v1alpha1.SecretKeyRef{Name: "bot", Key: "signing"}
			if name == "second" {
				c.Spec.ZaloOA.Signature.SecretKeyRefs[0].Key = "next"
				c.Spec.Webhook.APIKeys[0].SecretKeyRef.Key = "next"
			}
			created(ctx, c)
		}
		list := &v1alpha1.ChannelConnectorList{}
		Eventually(func(g Gomega) {
			g.Expect(k8s.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
			for i := range list.Items {
				g.Expect(condition(ctx, &list.Items[i], v1alpha1.ConditionCredentialsResolved).Reason).To(Equal("Resolved"))
			}
		}).Should(Succeed())
	})
})

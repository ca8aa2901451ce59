package controllers_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// killedAtEveryWrite lets an operator begin to work and kills it after 0, 1, 2, … writes, each time on a resource of
// its own, until there is nothing left to cut. begin makes or changes the resource, done says that an operator has
// ended.
func killedAtEveryWrite(namespace string, prepare, begin func(name string) *v1alpha1.ChannelConnector,
	done func(*v1alpha1.ChannelConnector) bool) (survivors []*v1alpha1.ChannelConnector) {
	GinkgoHelper()
	for writes := 0; ; writes++ {
		Expect(writes).To(BeNumerically("<", 20), "there is no end of writes")
		name := fmt.Sprintf("killed-%d", writes)
		if prepare != nil {
			before := startOperator(namespace)
			prepare(name)
			before.stop()
		}
		f, cut := cutAfter(writes)
		op := startOperator(namespace, func(s *setup) { s.wire.inject(f) })
		c := begin(name)
		Eventually(func() bool { return cut() || done(c) }).Should(BeTrue())
		op.stop()
		survivors = append(survivors, c)
		if !cut() {
			return survivors
		}
	}
}

var _ = Describe("An operator killed between any two writes", func() {
	var namespace string
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
	})

	It("converges after the creation of a resource", func(ctx context.Context) {
		all := killedAtEveryWrite(namespace, nil, func(name string) *v1alpha1.ChannelConnector {
			c := newConnector(namespace, name)
			c.Spec.Webhook.APIKeys = nil
			c.Annotations = map[string]string{marks.AnnotationRegenerateAPIKey: "once"}
			return created(ctx, c)
		}, func(c *v1alpha1.ChannelConnector) bool { return readyCondition(ctx, c).Reason == "Starting" })
		Expect(len(all)).To(BeNumerically(">=", 1+len(childKinds())+1+1), "the API key, every child and a status are writes")

		op := startOperator(namespace)
		for _, c := range all {
			haveChildren(ctx, c)
			becomesReady(ctx, c)
		}
		staysSettled(ctx, op, all...)

		By("having used up the value of the annotation, wherever it was killed")
		for _, c := range all {
			Expect(k8s.Delete(ctx, apiKeySecret(ctx, c))).To(Succeed())
			Eventually(readyCondition).WithArguments(ctx, c).Should(HaveField("Reason", "GeneratedAPIKeyDeleted"))
		}
	})

	It("converges after a change of the spec", func(ctx context.Context) {
		all := killedAtEveryWrite(namespace, func(name string) *v1alpha1.ChannelConnector {
			c := created(ctx, newConnector(namespace, name))
			becomesReady(ctx, c)
			return c
		}, func(name string) *v1alpha1.ChannelConnector {
			c := newConnector(namespace, name)
			updated(ctx, c, func(c *v1alpha1.ChannelConnector) {
				c.Spec.ZaloOA.AppID = "42"
				c.Spec.Workload.ServiceAccountName = "shop"
			})
			return c
		}, func(c *v1alpha1.ChannelConnector) bool {
			generation, err := observedGeneration(ctx, c)
			return err == nil && generation == c.Generation
		})
		Expect(len(all)).To(BeNumerically(">=", 5), "the configuration, the Deployment, the ServiceAccount and a status make 4 writes")

		op := startOperator(namespace)
		for _, c := range all {
			becomesReady(ctx, c)
			Expect(configOf(ctx, c)).To(ContainSubstring(`appID: "42"`))
			Expect(deploymentOf(ctx, c).Spec.Template.Spec.ServiceAccountName).To(Equal("shop"))
			Expect(k8s.Get(ctx, childKey(c), &corev1.ServiceAccount{})).To(MatchError(ContainSubstring("not found")))
		}
		staysSettled(ctx, op, all...)
	})

	It("converges after an upgrade of the operator, one workload at a time", func(ctx context.Context) {
		before := startOperator(namespace)
		var all []*v1alpha1.ChannelConnector
		for n := range 4 {
			c := created(ctx, newConnector(namespace, fmt.Sprintf("killed-%d", n)))
			becomesReady(ctx, c)
			all = append(all, c)
		}
		before.stop()

		for writes := range 6 {
			f, _ := cutAfter(writes)
			op := startOperator(namespace, upgraded, func(s *setup) { s.wire.inject(f) })
			for _, c := range all {
				op.forcePass(ctx, c)
			}
			Expect(turns(ctx, namespace)).To(BeNumerically("<=", 1))
			op.stop()
		}
		op := startOperator(namespace, upgraded)
		Eventually(func(g Gomega) {
			Expect(turns(ctx, namespace)).To(BeNumerically("<=", 1))
			for _, c := range all {
				g.Expect(say(ctx, c, rolledOut)).To(Succeed())
			}
			for _, c := range all {
				g.Expect(imageOf(ctx, c)).To(Equal(upgradedImage))
				g.Expect(readyCondition(ctx, c)).To(beTrue)
			}
			// The last template may be newer than what was said of it, and the status still that of the one before, as
			// long as its turn lasts.
			g.Expect(upgrading(ctx, namespace)).To(BeZero())
		}).Should(Succeed())
		staysSettled(ctx, op, all...)
	})
})

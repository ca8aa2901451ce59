package controllers_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// turnOrWaits reports whether a connector has been upgraded, or waits for that.
func turnOrWaits(ctx context.Context, c *v1alpha1.ChannelConnector) bool {
	GinkgoHelper()
	return imageOf(ctx, c) == upgradedImage || condition(ctx, c, v1alpha1.ConditionUpdatePending).Status == metav1.ConditionTrue
}

var _ = Describe("An upgrade of the operator of several tenants", func() {
	var (
		namespaces []string
		shops      []*v1alpha1.ChannelConnector
	)
	several := func(s *setup) { s.Namespaces = namespaces }
	BeforeEach(func(ctx context.Context) {
		namespaces, shops = nil, nil
		for range 3 {
			namespace := newNamespace(ctx)
			newSecrets(ctx, namespace)
			namespaces = append(namespaces, namespace)
		}
		op := startOperator("", several)
		for _, namespace := range namespaces {
			shops = append(shops, created(ctx, newConnector(namespace, "shop")))
		}
		for _, shop := range shops {
			becomesReady(ctx, shop)
		}
		settle(op)
		op.stop()
	})
	// next is the one whose upgrade is under way, among those that are left.
	next := func(ctx context.Context) (found *v1alpha1.ChannelConnector) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			found = nil
			for _, shop := range shops {
				if underWay(deploymentOf(ctx, shop)) {
					g.Expect(found).To(BeNil(), "only one at a time")
					found = shop
				}
			}
			g.Expect(found).NotTo(BeNil())
		}).Should(Succeed())
		return found
	}
	without := func(gone ...*v1alpha1.ChannelConnector) (left *v1alpha1.ChannelConnector) {
		for _, shop := range shops {
			if shop.Namespace != gone[0].Namespace && shop.Namespace != gone[1].Namespace {
				left = shop
			}
		}
		return left
	}

	It("takes its turns among them, however many connectors one has", func(ctx context.Context) {
		op := startOperator("", several)
		for n := range 6 {
			more := created(ctx, newConnector(namespaces[0], fmt.Sprintf("more-%d", n)))
			becomesReady(ctx, more)
			shops = append(shops, more)
		}
		settle(op)
		op.stop()

		startOperator("", several, upgraded)
		for _, shop := range shops {
			Eventually(turnOrWaits).WithArguments(ctx, shop).Should(BeTrue())
		}
		seen := map[string]bool{}
		for range len(namespaces) + 1 { // the first one may have come before the others waited
			shop := next(ctx)
			seen[shop.Namespace] = true
			becomesReady(ctx, shop)
		}
		Expect(seen).To(HaveLen(len(namespaces)))
	})

	It("goes past a Deployment that is paused", func(ctx context.Context) {
		startOperator("", several, upgraded)
		paused := next(ctx)
		d := deploymentOf(ctx, paused)
		patched(ctx, d, `{"spec":{"paused":true}}`)
		second := func() (others []string) {
			for _, shop := range shops {
				if d := deploymentOf(ctx, shop); shop.Namespace != paused.Namespace && underWay(d) {
					others = append(others, shop.Namespace)
				}
			}
			return others
		}
		Eventually(second).Should(HaveLen(1))
		Expect(deploymentOf(ctx, paused).Spec.Paused).To(BeTrue(), "who paused it has his reason")
	})

	It("takes no word of a tenant for a slot", func(ctx context.Context) {
		op := startOperator("", several, upgraded)
		first := next(ctx)
		var forger *v1alpha1.ChannelConnector
		for _, shop := range shops {
			if shop.Namespace != first.Namespace {
				Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionUpdatePending).Should(beTrue)
				forger = shop
			}
		}
		annotated(ctx, deploymentOf(ctx, forger), map[string]string{marks.AnnotationUpgrading: "true"})
		says(ctx, forger, func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 0 })
		settle(op)
		Expect(imageOf(ctx, forger)).To(Equal(connectorImage))
		Expect(condition(ctx, forger, v1alpha1.ConditionUpdatePending)).To(beTrue)
	})

	It("stops when the version fails at two of them, and goes on when one comes up", func(ctx context.Context) {
		op := startOperator("", several, upgraded)
		first := next(ctx)
		says(ctx, first, doesNotComeUp)
		second := next(ctx)
		says(ctx, second, doesNotComeUp)
		left := without(first, second)
		Eventually(condition).WithArguments(ctx, left, v1alpha1.ConditionUpdatePending).Should(HaveField("Reason", "UpgradesStopped"))
		Eventually(metric).WithArguments("xbot_operator_upgrades_stopped").Should(BeEquivalentTo(1))
		Expect(readyCondition(ctx, left)).To(beTrue)
		Expect(imageOf(ctx, left)).To(Equal(connectorImage))
		staysSettled(ctx, op, shops...)

		becomesReady(ctx, first)
		Eventually(metric).WithArguments("xbot_operator_upgrades_stopped").Should(BeZero())
		Eventually(imageOf).WithArguments(ctx, left).Should(Equal(upgradedImage))
	})

	It("goes past quotas and pull secrets of some of them", func(ctx context.Context) {
		startOperator("", several, upgraded)
		first := next(ctx)
		becomesReady(ctx, first) // with the image, which the others say they cannot pull
		second := next(ctx)
		pod := newPod(ctx, second)
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "connector", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}},
		}}
		Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
		says(ctx, second, doesNotComeUp)
		third := without(first, second)
		Eventually(imageOf).WithArguments(ctx, third).Should(Equal(upgradedImage))

		says(ctx, third, func(d *appsv1.Deployment) {
			doesNotComeUp(d)
			d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{
				Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate",
				Message: `pods "shop-connector-7d9" is forbidden: exceeded quota: compute, requested: limits.memory=256Mi`,
			})
		})
		Eventually(readyCondition).WithArguments(ctx, third).Should(HaveField("Reason", "PodsRefused"))
		Eventually(metric).WithArguments("xbot_operator_upgrades_failed").Should(BeEquivalentTo(2))
		Expect(metric("xbot_operator_upgrades_stopped")).To(BeZero())
	})

	It("goes past Deployments that look like failed ones and are not the operator's", func(ctx context.Context) {
		for _, namespace := range namespaces[:2] {
			other := newConnector(namespace, "other")
			theirs := deploymentOf(ctx, shops[0])
			theirs.ObjectMeta = metav1.ObjectMeta{
				Namespace: namespace, Name: childKey(other).Name, Labels: children.Labels("other"),
				Annotations:     map[string]string{marks.AnnotationUpgrading: "true", marks.AnnotationConnector: "other"},
				OwnerReferences: controlledBy("apps/v1", "ReplicaSet", "other"),
			}
			Expect(k8s.Create(ctx, theirs)).To(Succeed())
			says(ctx, created(ctx, other), doesNotComeUp)
		}
		startOperator("", several, upgraded)
		for range shops {
			becomesReady(ctx, next(ctx))
		}
	})
})

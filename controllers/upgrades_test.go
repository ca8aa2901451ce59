package controllers_test

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

const upgradedImage = "registry.test/connector:2"

// upgraded is an operator of another version.
func upgraded(s *setup) { s.Image = upgradedImage }

var _ = Describe("An upgrade of the operator", func() {
	var (
		namespace string
		all       []*v1alpha1.ChannelConnector
	)
	// before makes resources that are Ready with the operator's version before.
	before := func(ctx context.Context, n int, change ...func(*v1alpha1.ChannelConnector)) {
		GinkgoHelper()
		namespace, all = newNamespace(ctx), nil
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		for i := range n {
			c := newConnector(namespace, fmt.Sprintf("shop-%d", i))
			for _, f := range change {
				f(c)
			}
			all = append(all, created(ctx, c))
		}
		for _, c := range all {
			becomesReady(ctx, c)
		}
		settle(op)
		op.stop()
	}
	// turn returns the one whose upgrade is under way, once the others wait, have failed or are upgraded.
	turn := func(ctx context.Context, waiting int) (next *v1alpha1.ChannelConnector) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			next = nil
			pending := 0
			for _, c := range all {
				if condition(ctx, c, v1alpha1.ConditionUpdatePending).Status == "True" {
					pending++
				}
				if underWay(deploymentOf(ctx, c)) {
					g.Expect(next).To(BeNil(), "only one at a time")
					next = c
				}
			}
			g.Expect(pending).To(Equal(waiting))
			g.Expect(next).NotTo(BeNil())
		}).Should(Succeed())
		return next
	}

	It("rolls connectors one after the other, and the ones that wait stay Ready", func(ctx context.Context) {
		before(ctx, 4)
		op := startOperator(namespace, upgraded)
		for waiting := range slices.Backward(all) {
			next := turn(ctx, waiting)
			Expect(imageOf(ctx, next)).To(Equal(upgradedImage))
			Eventually(readyCondition).WithArguments(ctx, next).Should(HaveField("Reason", "RollingOut"))
			for _, c := range all {
				if pending := condition(ctx, c, v1alpha1.ConditionUpdatePending); pending.Status == "True" {
					Expect(pending.Reason).To(Equal("WaitsForTurn"))
					Expect(imageOf(ctx, c)).To(Equal(connectorImage))
					Expect(readyCondition(ctx, c)).To(beTrue)
				}
			}
			becomesReady(ctx, next)
		}
		Eventually(upgrading).WithArguments(ctx, namespace).Should(BeZero())
		Eventually(metric).WithArguments("xbot_operator_upgrades_pending").Should(BeZero())
		staysSettled(ctx, op, all...)
	})

	It("is not changed by a restart of the operator in between", func(ctx context.Context) {
		before(ctx, 3)
		op := startOperator(namespace, upgraded)
		first := turn(ctx, 2)
		op.stop()
		op = startOperator(namespace, upgraded)
		for _, c := range all {
			op.forcePass(ctx, c)
		}
		Expect(turn(ctx, 2).Name).To(Equal(first.Name))
		Expect(op.writes.Load()).To(BeZero(), "%v", op.written())

		becomesReady(ctx, first)
		Expect(turn(ctx, 1).Name).NotTo(Equal(first.Name))
	})

	It("comes at once with a change of the spec", func(ctx context.Context) {
		before(ctx, 3)
		startOperator(namespace, upgraded)
		next := turn(ctx, 2)
		for _, c := range all {
			if c.Name == next.Name {
				continue
			}
			updated(ctx, c, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.AppID = "42" })
			Eventually(imageOf).WithArguments(ctx, c).Should(Equal(upgradedImage))
			Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionUpdatePending).Should(HaveField("Status", BeEmpty()))
		}
		Expect(upgrading(ctx, namespace)).To(Equal(1))
		Eventually(metric).WithArguments("xbot_operator_upgrades_pending").Should(BeZero())
	})

	It("does not come with a change of replicas alone", func(ctx context.Context) {
		before(ctx, 2)
		startOperator(namespace, upgraded)
		waiting := other(all, turn(ctx, 1))
		for _, replicas := range []int32{0, 1} {
			patched(ctx, waiting, fmt.Sprintf(`{"spec":{"workload":{"replicas":%d}}}`, replicas))
			Eventually(observedGeneration).WithArguments(ctx, waiting).Should(Equal(waiting.Generation))
			Expect(deploymentOf(ctx, waiting).Spec.Replicas).To(HaveValue(Equal(replicas)))
			Expect(imageOf(ctx, waiting)).To(Equal(connectorImage))
			Expect(condition(ctx, waiting, v1alpha1.ConditionUpdatePending)).To(beTrue)
		}
		updated(ctx, waiting, labelPods)
		Eventually(imageOf).WithArguments(ctx, waiting).Should(Equal(upgradedImage))
	})

	It("takes no place for a workload of 0 replicas or one that is not available", func(ctx context.Context) {
		before(ctx, 4)
		idle, down := all[0], all[1]
		says(ctx, down, func(d *appsv1.Deployment) { d.Status.AvailableReplicas, d.Status.ReadyReplicas = 0, 0 })
		op := startOperator(namespace)
		patched(ctx, idle.DeepCopy(), `{"spec":{"workload":{"replicas":0}}}`)
		Eventually(readyCondition).WithArguments(ctx, idle).Should(HaveField("Reason", "ScalingDown"))
		becomesReady(ctx, idle)
		settle(op)
		op.stop()

		startOperator(namespace, upgraded)
		for _, c := range []*v1alpha1.ChannelConnector{idle, down} {
			Eventually(imageOf).WithArguments(ctx, c).Should(Equal(upgradedImage))
			Expect(deploymentOf(ctx, c).Annotations).NotTo(HaveKey(marks.AnnotationUpgrading))
		}
		turn(ctx, 1)
	})

	It("takes no slot for a workload that is scaled to 0, and comes once the last pod has ended", func(ctx context.Context) {
		before(ctx, 1)
		idle := all[0]
		patched(ctx, idle.DeepCopy(), `{"spec":{"workload":{"replicas":0}}}`)
		op := startOperator(namespace, upgraded)
		Eventually(deploymentOf).WithArguments(ctx, idle).Should(HaveField("Spec.Replicas", HaveValue(BeZero())))
		Eventually(condition).WithArguments(ctx, idle, v1alpha1.ConditionUpdatePending).Should(beTrue)
		Expect(imageOf(ctx, idle)).To(Equal(connectorImage))
		Expect(deploymentOf(ctx, idle).Annotations).NotTo(HaveKey(marks.AnnotationUpgrading))
		becomesReady(ctx, idle)
		Eventually(imageOf).WithArguments(ctx, idle).Should(Equal(upgradedImage))
		Expect(deploymentOf(ctx, idle).Annotations).NotTo(HaveKey(marks.AnnotationUpgrading))
		settle(op)
	})

	It("comes at once to a resource that was created again, and with its spec", func(ctx context.Context) {
		before(ctx, 2)
		startOperator(namespace, upgraded)
		again := other(all, turn(ctx, 1))
		Expect(k8s.Delete(ctx, again.DeepCopy())).To(Succeed())
		again = newConnector(namespace, again.Name)
		labelPods(again)
		created(ctx, again)
		Eventually(imageOf).WithArguments(ctx, again).Should(Equal(upgradedImage))
		Expect(deploymentOf(ctx, again).Spec.Template.Labels).To(HaveKeyWithValue("team", "chat"))
		becomesReady(ctx, again)
	})

	// fail lets the upgrades of two connectors fail, each of which frees its slot, and returns the third one.
	fail := func(ctx context.Context) (failed []*v1alpha1.ChannelConnector, left *v1alpha1.ChannelConnector) {
		GinkgoHelper()
		for waiting := 2; waiting > 0; waiting-- {
			next := turn(ctx, waiting)
			says(ctx, next, doesNotComeUp)
			failed = append(failed, next)
		}
		for _, c := range all {
			if c.Name != failed[0].Name && c.Name != failed[1].Name {
				left = c
			}
		}
		Eventually(condition).WithArguments(ctx, left, v1alpha1.ConditionUpdatePending).Should(HaveField("Reason", "UpgradesStopped"))
		return failed, left
	}

	It("goes past a connector that does not come up, stops at the second one, and goes on when one does", func(ctx context.Context) {
		before(ctx, 3)
		op := startOperator(namespace, upgraded)
		failed, left := fail(ctx)
		for _, c := range failed {
			Eventually(events).WithArguments(ctx, namespace).Should(ContainElement(And(
				HaveField("Reason", "UpgradeFailed"), HaveField("Regarding.Name", c.Name), HaveField("Type", corev1.EventTypeWarning))))
			Expect(readyCondition(ctx, c).Reason).To(Equal("RollingOut"))
			Expect(condition(ctx, c, v1alpha1.ConditionStalled).Status).To(BeEquivalentTo("True"))
		}
		Eventually(metric).WithArguments("xbot_operator_upgrades_failed").Should(BeEquivalentTo(2))
		Expect(metric("xbot_operator_upgrades_stopped")).To(BeZero(), "other namespaces go on")
		Eventually(metric).WithArguments("xbot_operator_upgrades_pending").Should(BeEquivalentTo(1))
		Expect(readyCondition(ctx, left)).To(beTrue)
		staysSettled(ctx, op, all...)

		becomesReady(ctx, failed[0])
		Eventually(metric).WithArguments("xbot_operator_upgrades_failed").Should(BeEquivalentTo(1))
		Expect(turn(ctx, 0).Name).To(Equal(left.Name))
		becomesReady(ctx, left)
		becomesReady(ctx, failed[1])
		Eventually(metric).WithArguments("xbot_operator_upgrades_failed").Should(BeZero())
	})

	It("goes on when a connector that did not come up is deleted", func(ctx context.Context) {
		before(ctx, 3)
		startOperator(namespace, upgraded)
		failed, left := fail(ctx)

		// Nobody collects garbage here: the Deployment outlives its owner.
		Expect(k8s.Delete(ctx, failed[0].DeepCopy())).To(Succeed())
		Eventually(imageOf).WithArguments(ctx, left).Should(Equal(upgradedImage))
		Eventually(metric).WithArguments("xbot_operator_upgrades_failed").Should(BeEquivalentTo(1))
	})

	It("goes on when the spec of a connector that did not come up is changed", func(ctx context.Context) {
		before(ctx, 3)
		startOperator(namespace, upgraded)
		failed, left := fail(ctx)

		updated(ctx, failed[1], func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.AppID = "42" })
		Eventually(imageOf).WithArguments(ctx, left).Should(Equal(upgradedImage))
	})

	It("to a version that comes up mends what the one before broke, in the places that these have", func(ctx context.Context) {
		before(ctx, 3, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{Storage: v1alpha1.StorageEphemeral}
		})
		op := startOperator(namespace, upgraded)
		broken, left := fail(ctx)
		for _, c := range broken { // the pod of the template before still takes calls
			says(ctx, c, func(d *appsv1.Deployment) {
				doesNotComeUp(d)
				d.Status.Replicas, d.Status.AvailableReplicas, d.Status.ReadyReplicas = 2, 1, 1
			})
		}
		op.stop()

		startOperator(namespace, func(s *setup) { s.Image = "registry.test/connector:3" })
		for _, c := range broken {
			Eventually(imageOf).WithArguments(ctx, c).Should(Equal("registry.test/connector:3"))
		}
		Eventually(condition).WithArguments(ctx, left, v1alpha1.ConditionUpdatePending).Should(beTrue)
		Expect(imageOf(ctx, left)).To(Equal(connectorImage))
		for _, c := range broken {
			becomesReady(ctx, c)
		}
		Eventually(imageOf).WithArguments(ctx, left).Should(Equal("registry.test/connector:3"))
	})

	It("goes past a connector whose Deployment a policy refuses", func(ctx context.Context) {
		before(ctx, 2)
		refused := all[0]
		policy := refuse(ctx, deploymentOf(ctx, refused), "deployments", fmt.Sprintf("object.metadata.name != %q", childKey(refused).Name))
		startOperator(namespace, upgraded)
		Eventually(imageOf).WithArguments(ctx, all[1]).Should(Equal(upgradedImage))
		becomesReady(ctx, all[1])
		Eventually(readyCondition).WithArguments(ctx, refused).Should(HaveField("Reason", "ApplyRefused"))

		Expect(k8s.Delete(ctx, policy)).To(Succeed())
		Eventually(imageOf).WithArguments(ctx, refused).Should(Equal(upgradedImage))
		becomesReady(ctx, refused)
	})
})

// doesNotComeUp is how a Deployment is whose new pod does not become available in time.
func doesNotComeUp(d *appsv1.Deployment) {
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, UnavailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded",
		}},
	}
}

// other returns the one of two that is not the given one.
func other(two []*v1alpha1.ChannelConnector, c *v1alpha1.ChannelConnector) *v1alpha1.ChannelConnector {
	if two[0].Name == c.Name {
		return two[1]
	}
	return two[0]
}

func imageOf(ctx context.Context, c *v1alpha1.ChannelConnector) string {
	GinkgoHelper()
	return deploymentOf(ctx, c).Spec.Template.Spec.Containers[0].Image
}

// underWay reports whether a workload is being upgraded, and has neither come up nor failed.
func underWay(d *appsv1.Deployment) bool {
	return d.Annotations[marks.AnnotationUpgrading] == "true" && !status.DeadlineExceeded(d) && !status.RolledOut(d)
}

// upgrading is the number of workloads that are marked as being upgraded.
func upgrading(ctx context.Context, namespace string) int {
	GinkgoHelper()
	return len(marked(ctx, namespace))
}

// turns is the number of workloads whose turn it is. A workload that has rolled out has ended its turn, although its
// mark stands until its next pass.
func turns(ctx context.Context, namespace string) int {
	GinkgoHelper()
	return len(slices.DeleteFunc(marked(ctx, namespace), func(d appsv1.Deployment) bool { return status.RolledOut(&d) }))
}

// marked returns the Deployments with the mark of an upgrade.
func marked(ctx context.Context, namespace string) []appsv1.Deployment {
	GinkgoHelper()
	list := &appsv1.DeploymentList{}
	Expect(k8s.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	return slices.DeleteFunc(list.Items, func(d appsv1.Deployment) bool { return d.Annotations[marks.AnnotationUpgrading] != "true" })
}

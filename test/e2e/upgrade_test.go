//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// fleet is many channels in one namespace.
const fleet = 20

// states count the channels of a fleet by their conditions. Disturbed ones wait for their turn and are not Ready.
type states struct{ Ready, Waiting, Stopped, Stalled, Disturbed int }

func statesOf(ctx context.Context, namespace string) (s states, err error) {
	list := &v1alpha1.ChannelConnectorList{}
	err = k8s.List(ctx, list, client.InNamespace(namespace))
	for i := range list.Items {
		conditions := list.Items[i].Status.Conditions
		count := func(n *int, holds bool) {
			if holds {
				*n++
			}
		}
		pending := meta.FindStatusCondition(conditions, v1alpha1.ConditionUpdatePending)
		ready, waiting := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady),
			meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionUpdatePending)
		count(&s.Ready, ready)
		count(&s.Waiting, waiting)
		count(&s.Disturbed, waiting && !ready)
		count(&s.Stopped, pending != nil && pending.Reason == "UpgradesStopped")
		count(&s.Stalled, meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled))
	}
	return s, err
}

// rolling counts the Deployments that do not have their one new pod alone.
func rolling(deployments []appsv1.Deployment) (count int) {
	for i := range deployments {
		if s := deployments[i].Status; s.Replicas != 1 || s.UpdatedReplicas != 1 || s.AvailableReplicas != 1 {
			count++
		}
	}
	return count
}

var _ = Describe("An operator's upgrade", Serial, func() {
	It("rolls a few of 20 channels at a time, and stops when one does not come up", func(ctx context.Context) {
		const atATime = 3
		limit := fmt.Sprintf("--set=operator.maxConcurrentUpgrades=%d", atATime)
		installOperator(ctx, version, limit)
		c, _ := prepareChannel(ctx)
		c.writeKeys(ctx)
		for i := range fleet {
			declared := newConnector(c.Namespace, c.bot.URL())
			ephemeral(declared)
			declared.WithName(fmt.Sprintf("shop-%02d", i))
			Expect(k8s.Apply(ctx, declared, client.FieldOwner("kubectl"))).To(Succeed())
		}
		now := func() (states, error) { return statesOf(ctx, c.Namespace) }
		Eventually(now).WithTimeout(4 * time.Minute).Should(Equal(states{Ready: fleet}))

		By("upgrading")
		begun := time.Now()
		installOperator(ctx, nextVersion, limit)
		waited := false
		Eventually(func(g Gomega) {
			s, err := now()
			g.Expect(err).NotTo(HaveOccurred())
			waited = waited || s.Waiting > 0
			deployments := &appsv1.DeploymentList{}
			g.Expect(k8s.List(ctx, deployments, client.InNamespace(c.Namespace))).To(Succeed())
			if rolls := rolling(deployments.Items); rolls > atATime || s.Disturbed > 0 {
				StopTrying("more than a few were not Ready").Attach("states", s).Attach("rolling", rolls).Now()
			}
			g.Expect(s).To(Equal(states{Ready: fleet}))
			g.Expect(deployments.Items).
				To(HaveEach(HaveField("Spec.Template.Spec.Containers", ConsistOf(HaveField("Image", connectorImage+":"+nextVersion)))))
		}).WithTimeout(6 * time.Minute).Should(Succeed())
		Expect(waited).To(BeTrue(), "none waited")
		measured("20 connectors are upgraded, 3 at a time", "", time.Since(begun))

		By("breaking the next one")
		// An image without the connector's program: it crashes five times before the upgrade stops. The first that fails frees
		// its slot for one more, and the second of a namespace stops the rest of it.
		const atMost = atATime + 1
		installOperator(ctx, version, limit, "--set-string", "connector.image.repository="+operatorImage)
		Eventually(now).WithTimeout(6 * time.Minute).Should(And(
			HaveField("Stalled", BeNumerically(">", 0)), HaveField("Stopped", BeNumerically(">=", fleet-atMost)),
			HaveField("Ready", BeNumerically(">=", fleet-atMost))))
		Consistently(now).WithTimeout(10 * time.Second).Should(HaveField("Waiting", BeNumerically(">=", fleet-atMost)))

		By("going back")
		installOperator(ctx, nextVersion, limit)
		Eventually(now).WithTimeout(6 * time.Minute).Should(Equal(states{Ready: fleet}))
	}, SpecTimeout(25*time.Minute))
})

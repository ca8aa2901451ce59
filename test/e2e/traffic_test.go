//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

var _ = Describe("The traffic of a channel", func() {
	BeforeEach(func(ctx context.Context) { installOperator(ctx, version) })

	It("is told of in conditions soon after it changes, and leaves Ready alone", func(ctx context.Context) {
		c := newChannel(ctx, quickRetries)
		Expect(c.post(ctx, c.current)).To(Equal(http.StatusOK))
		c.tells(ctx, v1alpha1.ConditionDelivering, metav1.ConditionTrue, "EventsTaken", time.Now())
		c.tells(ctx, v1alpha1.ConditionSignatureVerified, metav1.ConditionTrue, "Verified", time.Now())
		c.tells(ctx, v1alpha1.ConditionInboxHealthy, metav1.ConditionTrue, "EventsStored", time.Now())
		c.tells(ctx, v1alpha1.ConditionReceiving, metav1.ConditionTrue, "CallsReceived", time.Now())

		By("a sink that is away, and calls with another secret")
		c.bot.Answer(http.StatusServiceUnavailable)
		changed := time.Now()
		Expect(c.post(ctx, c.current)).To(Equal(http.StatusOK))
		for range 30 {
			Expect(c.post(ctx, traffic.Keys{APIKey: c.current.APIKey, Secret: newKeys().Secret})).To(Equal(http.StatusUnauthorized))
		}
		Expect(c.tells(ctx, v1alpha1.ConditionDelivering, metav1.ConditionFalse, "SinkFailing", changed)).To(ContainSubstring("503"))
		Expect(c.tells(ctx, v1alpha1.ConditionSignatureVerified, metav1.ConditionFalse, "WrongSecretSuspected", changed)).
			To(ContainSubstring("OA secret key"))
		Expect(c.condition(ctx, v1alpha1.ConditionReady)).To(HaveField("Status", metav1.ConditionTrue))
		Expect(c.Status.Traffic.Pending).To(BeEquivalentTo(1))
		Expect(kubectl(ctx, "get", "chc", c.Name, "--namespace", c.Namespace, "--output", "wide")).
			To(And(ContainSubstring("BACKLOG"), ContainSubstring("LAST EVENT")))
		Eventually(c.eventsWith).WithContext(ctx).WithArguments("SinkFailing").Should(HaveLen(1))

		By("a sink that is back, and a call with the right secret")
		c.bot.Answer(http.StatusOK)
		Eventually(c.bot.Arrivals).Should(ContainElement(And(HaveField("N", 2), HaveField("Taken", true))))
		changed = time.Now()
		Expect(c.post(ctx, c.current)).To(Equal(http.StatusOK))
		c.tells(ctx, v1alpha1.ConditionDelivering, metav1.ConditionTrue, "EventsTaken", changed)
		c.tells(ctx, v1alpha1.ConditionSignatureVerified, metav1.ConditionTrue, "Verified", changed)
	}, SpecTimeout(12*time.Minute))
})

// tells waits until a condition has the expected status and reason, and returns its message.
func (c *channel) tells(ctx context.Context, kind string, status metav1.ConditionStatus, reason string, since time.Time) (message string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		condition, err := c.condition(ctx, kind)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(condition).To(And(HaveField("Status", status), HaveField("Reason", reason)), condition.Message)
		message = condition.Message
	}).WithContext(ctx).WithTimeout(5 * time.Minute).Should(Succeed())
	measured("a change of the traffic is in the status", "under 2m", time.Since(since))
	return message
}

// eventsWith are the channel's events with a reason.
func (c *channel) eventsWith(ctx context.Context, reason string) (found []eventsv1.Event, err error) {
	list := &eventsv1.EventList{}
	err = k8s.List(ctx, list, client.InNamespace(c.Namespace))
	for _, e := range list.Items {
		if e.Reason == reason && e.Regarding.Name == c.Name {
			found = append(found, e)
		}
	}
	return found, err
}

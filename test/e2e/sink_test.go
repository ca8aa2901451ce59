//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/admin"
)

var _ = Describe("A sink", func() {
	BeforeEach(func(ctx context.Context) { installOperator(ctx, version) })

	It("may be away for minutes: the backlog waits on disk and drains in order", func(ctx context.Context) {
		c := newChannel(ctx, quickRetries)
		platform := c.load(ctx)
		c.bot.Answer(http.StatusServiceUnavailable)
		away := time.Now()
		Eventually(time.Since).WithArguments(away).WithPolling(time.Second).WithTimeout(3 * time.Minute).Should(BeNumerically(">", 2*time.Minute))
		flows(platform) // no call is refused because its sink is away
		Expect(c.status(ctx).Pending).To(BeNumerically(">", conversations))

		c.bot.Answer(http.StatusOK)
		begun := time.Now()
		verdict := c.settles(platform)
		measured("a backlog of two minutes is delivered", "", time.Since(begun))
		Expect(verdict.Inverted).To(BeEmpty(), verdict.String())
		Expect(platform.Calls()).NotTo(ContainElement(HaveField("Failed()", true)))
	}, SpecTimeout(10*time.Minute))

	It("may refuse events: they are listed as dead letters, and delivered when redriven", func(ctx context.Context) {
		c := newChannel(ctx)
		c.bot.Answer(http.StatusUnprocessableEntity)
		for range 3 {
			Expect(c.post(ctx, c.current)).To(Equal(http.StatusOK))
		}
		name := "--channel=" + c.Namespace + "/" + c.Name
		list := func() int {
			return strings.Count(c.connector(ctx, "deadletters", "list", name, "--output=json"), `"id":`)
		}
		Eventually(list).Should(Equal(3))

		c.bot.Answer(http.StatusOK)
		c.connector(ctx, "deadletters", "redrive", name, "--all")
		Eventually(list).Should(BeZero())
		taken := func() (numbers []int) {
			for _, arrival := range c.bot.Arrivals() {
				if arrival.Taken {
					numbers = append(numbers, arrival.N)
				}
			}
			return numbers
		}
		Eventually(taken).Should(Equal([]int{1, 2, 3}), "in the order in which they were accepted")
	}, SpecTimeout(5*time.Minute))
})

// quickRetries lets a channel notice soon that its sink is back.
func quickRetries(c *declaration) {
	c.Spec.WithDelivery(v1alpha1ac.Delivery().WithRetry(v1alpha1ac.Retry().WithMaxBackoff(metav1.Duration{Duration: 5 * time.Second})))
}

// status returns the channel's status from the connector.
func (c *channel) status(ctx context.Context) admin.ChannelStatus {
	GinkgoHelper()
	var status admin.Status
	Expect(json.Unmarshal([]byte(c.connector(ctx, "status", "--output=json")), &status)).To(Succeed())
	Expect(status.Channels).To(HaveLen(1))
	return status.Channels[0]
}

// connector runs the connector's program in the channel's pod.
func (c *channel) connector(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return kubectl(ctx,
		append([]string{"exec", "--namespace", c.Namespace, "deployment/" + c.Name + "-connector", "--", "connector"}, args...)...)
}

//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

var _ = Describe("Keys that are rotated under load", func() {
	BeforeEach(func(ctx context.Context) { installOperator(ctx, version) })

	It("work within seconds, without a restart and without a refused call", func(ctx context.Context) {
		c := newChannel(ctx)
		platform := c.load(ctx)
		before := c.pod(ctx)
		for range 10 {
			c.rotate(ctx, platform, "")
		}
		undisturbed(c, platform)

		after := c.pod(ctx)
		Expect(after.UID).To(Equal(before.UID))
		Expect(after.Status.ContainerStatuses).To(HaveEach(HaveField("RestartCount", BeZero())))
	}, SpecTimeout(10*time.Minute))
})

// rotate replaces the keys that are not in use, turns the platform to them, and measures the time until the new ones
// work and the old ones do not. after names an event that makes it longer, such as ", after a crash"; it is mostly
// empty.
func (c *channel) rotate(ctx context.Context, platform *traffic.Platform, after string) {
	GinkgoHelper()
	old := c.next
	c.next = newKeys()
	start := time.Now()
	c.writeKeys(ctx)
	c.until(ctx, "a new API key and OA secret key work"+after, start, http.StatusOK, c.next)
	// Each old key alone, with a good one of the other kind.
	c.until(ctx, "a removed API key is refused"+after, start, http.StatusUnauthorized,
		traffic.Keys{APIKey: old.APIKey, Secret: c.next.Secret})
	c.until(ctx, "a removed OA secret key is refused"+after, start, http.StatusUnauthorized,
		traffic.Keys{APIKey: c.next.APIKey, Secret: old.Secret})
	c.current, c.next = c.next, c.current
	platform.Use(c.current)
	flows(platform)
}

// until measures the time until calls are answered with a status.
func (c *channel) until(ctx context.Context, what string, start time.Time, status int, keys traffic.Keys) {
	GinkgoHelper()
	Eventually(c.post).WithContext(ctx).WithArguments(keys).WithPolling(20*time.Millisecond).Should(Equal(status), what)
	measured(what, "p95 under 2s", time.Since(start))
}

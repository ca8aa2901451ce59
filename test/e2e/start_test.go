//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A new channel", func() {
	It("is Ready within seconds, its image being there", func(ctx context.Context) {
		installOperator(ctx, version)
		for range 7 {
			c := declareChannel(ctx)
			begun := time.Now()
			c.becomesReady(ctx)
			measured("a new channel is Ready", "p50 under 5s", time.Since(begun))
			measured("a connector's process is ready", "under 500ms", c.startTook(ctx))
		}
	}, SpecTimeout(5*time.Minute))
})

// startTook is the connector's own time from start to ready, from its log: Kubernetes knows the times of containers
// only in whole seconds.
func (c *channel) startTook(ctx context.Context) time.Duration {
	GinkgoHelper()
	log := kubectl(ctx, "logs", "--namespace", c.Namespace, c.pod(ctx).Name)
	for line := range strings.Lines(log) {
		record := struct{ Msg, After string }{}
		Expect(json.Unmarshal([]byte(line), &record)).To(Succeed())
		if record.Msg == "ready" {
			took, err := time.ParseDuration(record.After)
			Expect(err).NotTo(HaveOccurred())
			return took
		}
	}
	Fail("the connector never logged that it is ready:\n" + log)
	return 0
}

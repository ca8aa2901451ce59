//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metricsPort is the pods'.
const metricsPort = "9090"

var _ = Describe("A new channel", func() {
	It("is Ready within seconds, its image being there", func(ctx context.Context) {
		installOperator(ctx, version)
		for range 7 {
			c := declareChannel(ctx)
			begun := time.Now()
			c.becomesReady(ctx)
			measured("a new channel is Ready", "p50 under 5s", time.Since(begun))
			measured("a connector's process is ready", "under 500ms", c.readyAt(ctx).Sub(c.startedAt(ctx)))
		}
	}, SpecTimeout(5*time.Minute))
})

// readyAt is when the connector logged that it is.
func (c *channel) readyAt(ctx context.Context) time.Time {
	GinkgoHelper()
	log := kubectl(ctx, "logs", "--namespace", c.Namespace, c.pod(ctx).Name)
	for line := range strings.Lines(log) {
		record := struct {
			Time time.Time
			Msg  string
		}{}
		Expect(json.Unmarshal([]byte(line), &record)).To(Succeed())
		if record.Msg == "ready" {
			return record.Time
		}
	}
	Fail("the connector never logged that it is ready:\n" + log)
	return time.Time{}
}

// startedAt is when the kernel started the connector's process, as its metrics say.
func (c *channel) startedAt(ctx context.Context) time.Time {
	GinkgoHelper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(c.pod(ctx).Status.PodIP, metricsPort)+"/metrics", http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	resp, err := http.DefaultClient.Do(req)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _, _ = io.Copy(io.Discard, resp.Body); _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(families).To(HaveKey("process_start_time_seconds"))
	return time.UnixMilli(int64(families["process_start_time_seconds"].GetMetric()[0].GetGauge().GetValue() * 1000))
}

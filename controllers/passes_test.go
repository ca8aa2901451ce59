package controllers_test

import (
	"context"
	"strconv"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// passes is the number of reconciliations that every operator of this process has
// ended.
func passes() int {
	GinkgoHelper()
	return int(metric("controller_runtime_reconcile_total"))
}

// metric is the sum of a metric over its labels.
func metric(name string) float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	total := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return total
}

var touched atomic.Int64

// forcePass lets the operator look at a resource once more, and waits until it
// has.
func forcePass(ctx context.Context, c *v1alpha1.ChannelConnector) {
	GinkgoHelper()
	before := passes()
	annotated(ctx, c.DeepCopy(), map[string]string{"example.com/touched": strconv.FormatInt(touched.Add(1), 10)})
	Eventually(passes).WithPolling(pause / 10).Should(BeNumerically(">", before))
}

// settle waits until an operator has not written for a while.
func settle(op *operator) int64 {
	GinkgoHelper()
	var writes int64
	Eventually(func(g Gomega) {
		writes = op.writes.Load()
		g.Consistently(op.writes.Load, "400ms").Should(Equal(writes))
	}).Should(Succeed())
	return writes
}

package webhook

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counter is a series that exists from its first use on and is looked up only
// once.
type counter struct {
	series atomic.Pointer[prometheus.Counter]
}

func (c *counter) inc(vec *prometheus.CounterVec, labels ...string) {
	series := c.series.Load()
	if series == nil {
		found := vec.WithLabelValues(labels...)
		series = &found
		c.series.Store(series)
	}
	(*series).Inc()
}

package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	backlog   = describe("inbox", "backlog_events", "Stored events that are neither taken nor dead.", "channel")
	oldest    = describe("inbox", "oldest_pending_age_seconds", "Age of the oldest pending event, 0 if none is pending.", "channel")
	dead      = describe("inbox", "dead_letters", "Dead letters kept.", "channel")
	size      = describe("inbox", "size_bytes", "Size of the inbox on disk.")
	sizeLimit = describe("inbox", "size_limit_bytes", "Size at which calls are answered 503.")
)

// InboxState exports an inbox's state as gauges. It is asked at each scrape, so that nothing has to be counted in
// between. It tells usage the size on disk and its bound, both zero for an inbox without a disk of its own, and channel
// what the inbox holds of each channel.
type InboxState func(usage func(used, limit int64), channel func(name string, pending, deadLetters int64, oldest time.Duration))

// Describe implements prometheus.Collector.
func (InboxState) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backlog, oldest, dead, size, sizeLimit} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (state InboxState) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	state(func(used, limit int64) {
		if limit > 0 {
			gauge(size, float64(used))
			gauge(sizeLimit, float64(limit))
		}
	}, func(name string, pending, deadLetters int64, age time.Duration) {
		gauge(backlog, float64(pending), name)
		gauge(oldest, age.Seconds(), name)
		gauge(dead, float64(deadLetters), name)
	})
}

package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// InboxState is what the inbox holds at a moment.
type InboxState struct {
	// UsedBytes is the size on disk, LimitBytes the bound; zero for an inbox that has no disk of its own.
	UsedBytes, LimitBytes int64
	Channels              []ChannelState
}

// ChannelState is what the inbox holds of one channel.
type ChannelState struct {
	Name                 string
	Pending, DeadLetters int64
	// OldestPendingAge is the age of the oldest pending event; zero if none is pending.
	OldestPendingAge time.Duration
}

var (
	backlog   = describe("inbox", "backlog_events", "Stored events that are neither taken nor dead.", "channel")
	oldest    = describe("inbox", "oldest_pending_age_seconds", "Age of the oldest pending event, 0 if none is pending.", "channel")
	dead      = describe("inbox", "dead_letters", "Dead letters kept.", "channel")
	size      = describe("inbox", "size_bytes", "Size of the inbox on disk.")
	sizeLimit = describe("inbox", "size_limit_bytes", "Size at which calls are answered 503.")
)

// inboxCollector asks for the state at each scrape, so that nothing has to be counted in between.
type inboxCollector func() InboxState

// RegisterInbox exports the inbox's state as gauges.
func RegisterInbox(reg prometheus.Registerer, state func() InboxState) {
	reg.MustRegister(inboxCollector(state))
}

// Describe implements prometheus.Collector.
func (inboxCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backlog, oldest, dead, size, sizeLimit} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (state inboxCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := state()
	if now.LimitBytes > 0 {
		gauge(size, float64(now.UsedBytes))
		gauge(sizeLimit, float64(now.LimitBytes))
	}
	for _, s := range now.Channels {
		gauge(backlog, float64(s.Pending), s.Name)
		gauge(oldest, s.OldestPendingAge.Seconds(), s.Name)
		gauge(dead, float64(s.DeadLetters), s.Name)
	}
}

package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// InboxState is what the inbox holds at a moment.
type InboxState struct {
	// UsedBytes is the size on disk, LimitBytes the bound; zero for an inbox that
	// has no disk of its own.
	UsedBytes, LimitBytes int64
	Channels              []ChannelState
}

// ChannelState is what the inbox holds of one channel.
type ChannelState struct {
	Name                 string
	Pending, DeadLetters int64
	// OldestPendingAge is the age of the oldest pending event; zero if none is
	// pending.
	OldestPendingAge time.Duration
}

// inboxCollector asks for the state at each scrape, so that nothing has to be
// counted in between.
type inboxCollector struct {
	state                         func() InboxState
	backlog, age, dead, size, max *prometheus.Desc
}

// RegisterInbox exports the inbox's state as gauges.
func RegisterInbox(reg prometheus.Registerer, state func() InboxState) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "inbox", name), help, labels, nil)
	}
	reg.MustRegister(&inboxCollector{
		state:   state,
		backlog: desc("backlog_events", "Stored events that are neither taken nor dead.", "channel"),
		age:     desc("oldest_pending_age_seconds", "Age of the oldest pending event, 0 if none is pending.", "channel"),
		dead:    desc("dead_letters", "Dead letters kept.", "channel"),
		size:    desc("size_bytes", "Size of the inbox on disk."),
		max:     desc("size_limit_bytes", "Size at which calls are answered 503."),
	})
}

// Describe implements prometheus.Collector.
func (c *inboxCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.backlog, c.age, c.dead, c.size, c.max} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *inboxCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	state := c.state()
	if state.LimitBytes > 0 {
		gauge(c.size, float64(state.UsedBytes))
		gauge(c.max, float64(state.LimitBytes))
	}
	for _, s := range state.Channels {
		gauge(c.backlog, float64(s.Pending), s.Name)
		gauge(c.age, s.OldestPendingAge.Seconds(), s.Name)
		gauge(c.dead, float64(s.DeadLetters), s.Name)
	}
}

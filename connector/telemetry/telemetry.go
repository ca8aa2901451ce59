// Package telemetry defines every metric of the connector, in one place.
//
// The number of series is bounded: histograms carry no channel label, the event name and the channel are never on one
// metric, event names come from the platform's known list or are "other", and a series exists from its first use on.
// Names and units follow the Prometheus conventions. No label ever holds a key, a user id or anything else of a body.
package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const namespace = "xbot_connector"

// Metrics are the instruments, created once per process. New says in each one's help text what it measures.
type Metrics struct {
	// The metrics of each channel.
	channels

	// AcceptedEvents are by event: a value that EventNames.Inc returns.
	AcceptedEvents                    *prometheus.CounterVec
	EventNames                        Counts
	AcceptDuration                    prometheus.Histogram
	InFlight                          prometheus.Gauge
	BufferedBytes, BufferedBytesLimit prometheus.Gauge

	// Connections are by listener (webhook, metrics, admin) and class, ConnectionsLimit by listener. ConnectionsClosed
	// are by listener and reason: displaced, slow, header_size, header_lines, ambiguous_length, tls_handshake, or
	// exhausted for an accept that failed for want of descriptors or memory.
	Connections, ConnectionsLimit *prometheus.GaugeVec
	ConnectionsClosed             *prometheus.CounterVec
	// ServerLog is by kind: panic, tls_handshake, accept, response, semicolon, other.
	ServerLog *prometheus.CounterVec

	SyncDuration prometheus.Histogram

	AttemptDuration, DeliveryLatency      prometheus.Histogram
	DeliveriesInFlight                    prometheus.Gauge
	SinkConnections, SinkConnectionsLimit prometheus.Gauge

	Reloads          *prometheus.CounterVec // by result: applied, refused
	ReloadSuccessful prometheus.Gauge
	ConfigInfo       *prometheus.GaugeVec // by digest

	// TokenKeysFetched is by document, TokenFetches by document and result: fetched, failed.
	TokenKeysFetched *prometheus.GaugeVec
	TokenFetches     *prometheus.CounterVec

	MemoryLimit prometheus.Gauge
}

// maxEventNames is above the number of names that all platforms together document.
const maxEventNames = 256

// New creates the instruments and registers them with reg.
func New(reg prometheus.Registerer) *Metrics {
	f := factory{promauto.With(reg)}
	m := &Metrics{
		channels:   channels{named: make(map[string]*Channel), series: allChannelSeries()},
		EventNames: Counts{most: maxEventNames},

		AcceptedEvents: f.counter("webhook", "accepted_events_total",
			"Events stored durably, by the platform's event name or \"other\".", "event"),
		AcceptDuration: f.histogram("webhook", "accept_duration_seconds",
			"Time from the arrival of a call whose body came to its answer, which is 503 beyond the type's AnswerIn.",
			.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 1.8, 2, 5),
		InFlight:      f.gauge("webhook", "in_flight_calls", "Calls being served."),
		BufferedBytes: f.gauge("webhook", "buffered_bytes", "What the calls being served hold of their bodies."),
		BufferedBytesLimit: f.gauge("webhook", "buffered_bytes_limit",
			"What the calls being served may hold of their bodies; falls with the memory limit."),

		Connections: f.gaugeVec("server", "connections",
			"Open connections, by what they have shown: nothing, key, verified; or answered, where only their end is awaited.", "listener", "class"),
		ConnectionsLimit: f.gaugeVec("server", "connections_limit",
			"Connections that may be open; beyond it the oldest of the lowest class is closed.", "listener"),
		ConnectionsClosed: f.counter("server", "connections_closed_total",
			"Connections closed by the listener, and accepts that failed (exhausted), by reason.", "listener", "reason"),
		ServerLog: f.counter("server", "log_lines_total",
			"Lines of net/http's log, of which one of each kind is let through in a minute, panics always.", "kind"),

		SyncDuration: f.histogram("inbox", "sync_duration_seconds", "Time of one durable commit.",
			.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2),

		AttemptDuration: f.histogram("delivery", "attempt_duration_seconds", "Time of one delivery attempt.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30),
		DeliveryLatency: f.histogram("delivery", "latency_seconds", "Time from acceptance until the sink took the event.",
			.001, .0025, .005, .01, .05, .1, .5, 1, 5, 30, 60, 300, 1800, 3600, 21600, 86400),
		DeliveriesInFlight:   f.gauge("delivery", "in_flight_attempts", "Delivery attempts under way."),
		SinkConnections:      f.gauge("delivery", "sink_connections", "Connections to all sinks, busy and idle."),
		SinkConnectionsLimit: f.gauge("delivery", "sink_connections_limit", "Connections to all sinks that there may be."),

		Reloads:          f.counter("config", "reloads_total", "Configuration reloads: applied or refused.", "result"),
		ReloadSuccessful: f.gauge("config", "last_reload_successful", "1 when the newest version of the configuration is in use."),
		ConfigInfo:       f.gaugeVec("config", "info", "1 for the digest of the configuration in use.", "digest"),

		TokenKeysFetched: f.gaugeVec("token", "keys_fetched_timestamp_seconds",
			"When the keys that verify tokens were last fetched, in seconds since 1970.", "document"),
		TokenFetches: f.counter("token", "fetches_total", "Fetches of the keys that verify tokens: fetched or failed.", "document", "result"),

		MemoryLimit: f.gauge("memory", "limit_bytes", "Memory limit of the process's cgroup; 0 without one."),
	}
	m.Use("")
	reg.MustRegister(&m.channels)
	return m
}

// UseConfig exports digest as the one in use.
func (m *Metrics) UseConfig(digest string) {
	m.ConfigInfo.Reset()
	m.ConfigInfo.WithLabelValues(digest).Set(1)
	m.ReloadSuccessful.Set(1)
}

// factory registers what it creates. A name used twice is a programming error and panics at start.
type factory struct{ promauto.Factory }

func opts(subsystem, name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}
}

func (f factory) counter(subsystem, name, help string, labels ...string) *prometheus.CounterVec {
	return f.NewCounterVec(prometheus.CounterOpts(opts(subsystem, name, help)), labels)
}

func (f factory) histogram(subsystem, name, help string, buckets ...float64) prometheus.Histogram {
	return f.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help, Buckets: buckets})
}

func (f factory) gaugeVec(subsystem, name, help string, labels ...string) *prometheus.GaugeVec {
	return f.NewGaugeVec(prometheus.GaugeOpts(opts(subsystem, name, help)), labels)
}

func (f factory) gauge(subsystem, name, help string) prometheus.Gauge {
	return f.NewGauge(prometheus.GaugeOpts(opts(subsystem, name, help)))
}

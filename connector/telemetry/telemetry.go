// Package telemetry defines every metric of the connector, in one place.
//
// The number of series is bounded: histograms carry no channel label, the event
// name and the channel are never on one metric, event names come from the
// platform's known list or are "other", and a series exists from its first use
// on. Names and units follow the Prometheus conventions. No label ever holds a
// key, a user id or anything else of a body.
package telemetry

import "github.com/prometheus/client_golang/prometheus"

const namespace = "xbot_connector"

// ReasonStale is the reason, on Refused, of an event that is older than the channel
// takes. It stands here because a status reads the count too.
const ReasonStale = "stale"

// Metrics are the instruments, created once per process.
type Metrics struct {
	// Accepted counts events stored, by channel.
	Accepted *prometheus.CounterVec
	// AcceptedEvents counts events stored, by known event name.
	AcceptedEvents *prometheus.CounterVec
	// Duplicates counts calls recognised as already stored, by channel.
	Duplicates *prometheus.CounterVec
	// Ignored counts calls answered 200 without being stored, by channel and
	// reason (probe, url_check, console_test, foreign_account, excluded).
	Ignored *prometheus.CounterVec
	// Refused counts calls not let in, by channel (empty when the key named
	// none) and reason.
	Refused *prometheus.CounterVec
	// AuditFailures counts calls let in under mode Audit that Enforce would
	// have refused, by channel and reason.
	AuditFailures *prometheus.CounterVec
	// OddTimestamps counts verified calls whose age could not be judged, by channel
	// and reason (unusual, ahead).
	OddTimestamps *prometheus.CounterVec
	// SignatureMode is 1 for the mode in which a channel's signatures are verified,
	// by channel and mode.
	SignatureMode *prometheus.GaugeVec
	// AcceptDuration is the time from a call's arrival to its answer, of calls
	// whose body came.
	AcceptDuration prometheus.Histogram
	// InFlight is the number of calls being served.
	InFlight prometheus.Gauge
	// BufferedBytes is what the calls being served hold of their bodies, and
	// BufferedBytesLimit how much they may.
	BufferedBytes, BufferedBytesLimit prometheus.Gauge

	// Connections is the number of open connections, by listener (webhook,
	// metrics, admin) and what they have shown (nothing, key, surplus, verified),
	// or answered where nothing but their end is awaited.
	Connections *prometheus.GaugeVec
	// ConnectionsLimit is how many there may be, by listener.
	ConnectionsLimit *prometheus.GaugeVec
	// ConnectionsClosed counts connections that the listener closed, by listener
	// and reason (displaced, slow, header_size, header_lines, ambiguous_length,
	// tls_handshake), and accepts that failed for want of descriptors or memory
	// (exhausted).
	ConnectionsClosed *prometheus.CounterVec
	// ServerLog counts what net/http had to log, by kind (panic, tls_handshake,
	// accept, response, semicolon, other).
	ServerLog *prometheus.CounterVec

	// SyncDuration is the time of one durable commit.
	SyncDuration prometheus.Histogram

	// Attempts counts delivery attempts, by channel and result (taken, refused,
	// or a failure class of package sink).
	Attempts *prometheus.CounterVec
	// AttemptDuration is the time of one attempt.
	AttemptDuration prometheus.Histogram
	// DeliveryLatency is the time from acceptance to the sink's taking it.
	DeliveryLatency prometheus.Histogram
	// DeadLettered counts events given up, by channel and reason (refused,
	// expired).
	DeadLettered *prometheus.CounterVec
	// DeliveriesInFlight is the number of attempts under way.
	DeliveriesInFlight prometheus.Gauge
	// Held is 1 while a channel makes single attempts only, since its sink asked
	// for a pause, by channel.
	Held *prometheus.GaugeVec
	// SinkConnections is the number of connections to all sinks, busy and idle,
	// and SinkConnectionsLimit how many there may be.
	SinkConnections, SinkConnectionsLimit prometheus.Gauge
	// Abandoned counts events that an Ephemeral inbox still held when the
	// process had to end, by channel.
	Abandoned *prometheus.CounterVec

	// Reloads counts configuration reloads, by result (applied, refused).
	Reloads *prometheus.CounterVec
	// ReloadSuccessful is 1 when the newest version of the files is in use.
	ReloadSuccessful prometheus.Gauge
	// ConfigInfo is 1 for the digest in use.
	ConfigInfo *prometheus.GaugeVec

	// MemoryLimit is the memory limit of the process's cgroup; 0 without one.
	MemoryLimit prometheus.Gauge
}

// New creates the instruments and registers them with reg.
func New(reg prometheus.Registerer) *Metrics {
	f := factory{reg}
	return &Metrics{
		Accepted:       f.counter("webhook", "accepted_total", "Events stored durably and answered 200.", "channel"),
		AcceptedEvents: f.counter("webhook", "accepted_events_total", "Events stored durably, by the platform's event name or \"other\".", "event"),
		Duplicates:     f.counter("webhook", "duplicates_total", "Calls recognised as an event already stored, answered 200.", "channel"),
		Ignored:        f.counter("webhook", "ignored_total", "Calls answered 200 without being stored: probe, url_check, console_test, foreign_account, excluded.", "channel", "reason"),
		Refused:        f.counter("webhook", "refused_total", "Calls refused, by reason.", "channel", "reason"),
		AuditFailures:  f.counter("webhook", "audit_failures_total", "Calls accepted under signature mode Audit that Enforce would refuse.", "channel", "reason"),
		OddTimestamps:  f.counter("webhook", "odd_timestamps_total", "Verified calls whose age cannot be judged: a timestamp of unusual form, or ahead of our clock.", "channel", "reason"),
		SignatureMode:  f.gaugeVec("webhook", "signature_mode", "1 for the mode in which a channel's signatures are verified: Enforce, Audit or Off.", "channel", "mode"),
		AcceptDuration: f.histogram("webhook", "accept_duration_seconds", "Time from the arrival of a call whose body came to its answer. The platform's limit is 2 s.",
			.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 1.8, 2, 5),
		InFlight:           f.gauge("webhook", "in_flight_calls", "Calls being served."),
		BufferedBytes:      f.gauge("webhook", "buffered_bytes", "What the calls being served hold of their bodies."),
		BufferedBytesLimit: f.gauge("webhook", "buffered_bytes_limit", "What the calls being served may hold of their bodies; falls with the memory limit."),

		Connections:       f.gaugeVec("server", "connections", "Open connections, by what they have shown: nothing, key, verified; or answered, where only their end is awaited.", "listener", "class"),
		ConnectionsLimit:  f.gaugeVec("server", "connections_limit", "Connections that may be open; beyond it the oldest of the lowest class is closed.", "listener"),
		ConnectionsClosed: f.counter("server", "connections_closed_total", "Connections closed by the listener, and accepts that failed (exhausted), by reason.", "listener", "reason"),
		ServerLog:         f.counter("server", "log_lines_total", "Lines of net/http's log, of which one of each kind is let through in a minute, panics always.", "kind"),

		SyncDuration: f.histogram("inbox", "sync_duration_seconds", "Time of one durable commit.",
			.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2),

		Attempts: f.counter("delivery", "attempts_total", "Delivery attempts, by result.", "channel", "result"),
		AttemptDuration: f.histogram("delivery", "attempt_duration_seconds", "Time of one delivery attempt.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30),
		DeliveryLatency: f.histogram("delivery", "latency_seconds", "Time from acceptance until the sink took the event.",
			.001, .0025, .005, .01, .05, .1, .5, 1, 5, 30, 60, 300, 1800, 3600, 21600, 86400),
		DeadLettered:         f.counter("delivery", "dead_lettered_total", "Events given up: refused by the sink, or expired.", "channel", "reason"),
		DeliveriesInFlight:   f.gauge("delivery", "in_flight_attempts", "Delivery attempts under way."),
		Held:                 f.gaugeVec("delivery", "held", "1 while the sink's Retry-After holds the channel: single attempts, until one succeeds.", "channel"),
		SinkConnections:      f.gauge("delivery", "sink_connections", "Connections to all sinks, busy and idle."),
		SinkConnectionsLimit: f.gauge("delivery", "sink_connections_limit", "Connections to all sinks that there may be."),
		Abandoned:            f.counter("delivery", "abandoned_total", "Events that an ephemeral inbox still held when the process ended.", "channel"),

		Reloads:          f.counter("config", "reloads_total", "Configuration reloads: applied or refused.", "result"),
		ReloadSuccessful: f.gauge("config", "last_reload_successful", "1 when the newest version of the configuration is in use."),
		ConfigInfo:       f.gaugeVec("config", "info", "1 for the digest of the configuration in use.", "digest"),

		MemoryLimit: f.gauge("memory", "limit_bytes", "Memory limit of the process's cgroup; 0 without one."),
	}
}

// ForgetChannel removes every series of a channel that is no longer configured.
func (m *Metrics) ForgetChannel(channel string) {
	match := prometheus.Labels{"channel": channel}
	for _, vec := range []*prometheus.CounterVec{
		m.Accepted, m.Duplicates, m.Ignored, m.Refused, m.AuditFailures, m.OddTimestamps,
		m.Attempts, m.DeadLettered, m.Abandoned,
	} {
		vec.DeletePartialMatch(match)
	}
	m.SignatureMode.DeletePartialMatch(match)
	m.Held.DeletePartialMatch(match)
}

// UseSignatureMode exports the mode that a channel's signatures are verified in, in
// the place of the one before; "" is none.
func (m *Metrics) UseSignatureMode(channel, before, mode string) {
	if before != mode {
		m.SignatureMode.DeleteLabelValues(channel, before)
	}
	m.SignatureMode.WithLabelValues(channel, mode).Set(1)
}

// UseConfig exports digest as the one in use.
func (m *Metrics) UseConfig(digest string) {
	m.ConfigInfo.Reset()
	m.ConfigInfo.WithLabelValues(digest).Set(1)
	m.ReloadSuccessful.Set(1)
}

// factory registers what it creates; a name used twice is a programming error
// and panics at start.
type factory struct{ reg prometheus.Registerer }

func (f factory) counter(subsystem, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
	}, labels)
	f.reg.MustRegister(c)
	return c
}

func (f factory) histogram(subsystem, name, help string, buckets ...float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help, Buckets: buckets,
	})
	f.reg.MustRegister(h)
	return h
}

func (f factory) gaugeVec(subsystem, name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
	}, labels)
	f.reg.MustRegister(g)
	return g
}

func (f factory) gauge(subsystem, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
	})
	f.reg.MustRegister(g)
	return g
}

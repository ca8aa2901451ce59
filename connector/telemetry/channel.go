package telemetry

import (
	"cmp"
	"maps"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// ReasonStale is the reason, in Channel.Refused, of an event that is older than the channel takes. It stands here
// because a status reads the count too.
const ReasonStale = "stale"

// Channel owns the series of one channel, which allChannelSeries describes. It is got from Metrics.Use; after
// Metrics.Retain has removed it, what it counts is exported no more.
type Channel struct {
	name  string
	since time.Time
	held  atomic.Pointer[float64]
	mode  atomic.Pointer[string]

	Accepted, Duplicates, Abandoned                atomic.Int64
	Ignored, Refused, AuditFailures, OddTimestamps Counts // by reason
	// Attempts are by result: taken, refused, withheld, or a failure class of package sink.
	Attempts Counts
	// DeadLettered are by reason: refused or expired.
	DeadLettered Counts
}

// UseSignatureMode exports the mode that the channel's signatures are verified in.
func (c *Channel) UseSignatureMode(mode string) { c.mode.Store(&mode) }

// SetHeld exports whether the channel makes single attempts only, since its sink asked for a pause.
func (c *Channel) SetHeld(held bool) {
	value := 0.0
	if held {
		value = 1
	}
	c.held.Store(&value)
}

// Counts are counts by the value of a label. The zero value has counted nothing.
type Counts struct {
	by     sync.Map   // of string to *atomic.Int64; no string is empty
	mu     sync.Mutex // guards values, and the making of a count
	values int        // the number of values so far
	most   int        // the bound on values. Default: maxValues.
}

// maxValues bounds the values of one label, and otherValue stands for those beyond it. Types of channels and sinks make
// the values: a type that makes up new ones must not take the process's memory, nor its metrics by a value that
// Prometheus refuses. No value is empty either.
const (
	maxValues  = 64
	otherValue = "other"
)

// Inc counts one of a value, and returns the value by which it is counted.
func (c *Counts) Inc(value string) string {
	count, known := c.by.Load(value)
	if !known {
		value, count = c.make(value)
	}
	count.(*atomic.Int64).Add(1)
	return value
}

// make makes the count of a value, or finds that which stands for it.
func (c *Counts) make(value string) (string, any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, made := c.by.Load(value) // by another call, meanwhile
	if value == "" || !utf8.ValidString(value) || !made && c.values == cmp.Or(c.most, maxValues) {
		value = otherValue
	}
	count, known := c.by.LoadOrStore(value, new(atomic.Int64))
	if !known && value != otherValue {
		c.values++
	}
	return value, count
}

// Of is the count of a value.
func (c *Counts) Of(value string) int64 {
	if count, known := c.by.Load(value); known {
		return count.(*atomic.Int64).Load()
	}
	return 0
}

// Sum is the count of all values but one; "" leaves none out.
func (c *Counts) Sum(but string) (sum int64) {
	c.each(func(value string, count int64) {
		if value != but {
			sum += count
		}
	})
	return sum
}

func (c *Counts) each(see func(value string, count int64)) {
	c.by.Range(func(value, count any) bool {
		see(value.(string), count.(*atomic.Int64).Load())
		return true
	})
}

// channels are the channels in use.
type channels struct {
	mu     sync.Mutex
	named  map[string]*Channel
	series []channelSeries
}

// Use returns the channel of a name, the same one until Retain removes it.
func (c *channels) Use(name string) *Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.named[name] == nil {
		c.named[name] = &Channel{name: name, since: time.Now()}
	}
	return c.named[name]
}

// Of returns the channel of a name to be read. Nothing is counted of one that is not in use.
func (c *channels) Of(name string) *Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	if channel := c.named[name]; channel != nil {
		return channel
	}
	return &Channel{}
}

// Retain removes the channels that are not among names, with all of their series.
func (c *channels) Retain(names map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.named, func(name string, _ *Channel) bool { return name != "" && !names[name] })
}

// Describe implements prometheus.Collector.
func (c *channels) Describe(ch chan<- *prometheus.Desc) {
	for _, s := range c.series {
		ch <- s.desc
	}
}

// Collect implements prometheus.Collector.
func (c *channels) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	named := maps.Clone(c.named)
	c.mu.Unlock()
	for name, channel := range named {
		for _, s := range c.series {
			s.each(channel, func(value float64, label ...string) {
				labels := append([]string{name}, label...)
				if s.kind == prometheus.GaugeValue {
					ch <- prometheus.MustNewConstMetric(s.desc, s.kind, value, labels...)
					return
				}
				ch <- prometheus.MustNewConstMetricWithCreatedTimestamp(s.desc, s.kind, value, channel.since, labels...)
			})
		}
	}
}

// channelSeries is a metric with the label channel. A series exists from its first use on.
type channelSeries struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	each func(c *Channel, series func(value float64, label ...string))
}

func describe(subsystem, name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
}

func count(subsystem, name, help string, of func(*Channel) *atomic.Int64) channelSeries {
	return channelSeries{describe(subsystem, name, help, "channel"),
		prometheus.CounterValue, func(c *Channel, series func(float64, ...string)) {
			if n := of(c).Load(); n > 0 {
				series(float64(n))
			}
		}}
}

func countBy(label, subsystem, name, help string, of func(*Channel) *Counts) channelSeries {
	return channelSeries{describe(subsystem, name, help, "channel", label),
		prometheus.CounterValue, func(c *Channel, series func(float64, ...string)) {
			of(c).each(func(value string, n int64) { series(float64(n), value) })
		}}
}

func signatureMode(c *Channel, series func(float64, ...string)) {
	if mode := c.mode.Load(); mode != nil {
		series(1, *mode)
	}
}

func isHeld(c *Channel, series func(float64, ...string)) {
	if held := c.held.Load(); held != nil {
		series(*held)
	}
}

// allChannelSeries are the metrics of every channel.
func allChannelSeries() []channelSeries {
	return []channelSeries{
		count("webhook", "accepted_total", "Events stored durably and answered 200.", func(c *Channel) *atomic.Int64 { return &c.Accepted }),
		count("webhook", "duplicates_total", "Events recognised as stored already; a call of such events alone is answered 200 too.",
			func(c *Channel) *atomic.Int64 { return &c.Duplicates }),
		countBy("reason", "webhook", "ignored_total",
			"Calls, and events of calls, that are not stored and not refused: probe, url_check, console_test, foreign_account, excluded.",
			func(c *Channel) *Counts { return &c.Ignored }),
		countBy("reason", "webhook", "refused_total", "Calls refused, by reason.", func(c *Channel) *Counts { return &c.Refused }),
		countBy("reason", "webhook", "audit_failures_total", "Calls accepted under signature mode Audit that Enforce would refuse.",
			func(c *Channel) *Counts { return &c.AuditFailures }),
		countBy("reason", "webhook", "odd_timestamps_total",
			"Verified calls whose age cannot be judged: a timestamp of unusual form, or ahead of our clock.",
			func(c *Channel) *Counts { return &c.OddTimestamps }),
		{describe("webhook", "signature_mode", "1 for the mode in which a channel's signatures are verified: Enforce, Audit or Off.",
			"channel", "mode"), prometheus.GaugeValue, signatureMode},
		countBy("result", "delivery", "attempts_total", "Delivery attempts, by result.", func(c *Channel) *Counts { return &c.Attempts }),
		countBy("reason", "delivery", "dead_lettered_total", "Events given up: refused by the sink, or expired.",
			func(c *Channel) *Counts { return &c.DeadLettered }),
		{describe("delivery", "held", "1 while the sink's Retry-After holds the channel: single attempts, until one succeeds.",
			"channel"), prometheus.GaugeValue, isHeld},
		count("delivery", "abandoned_total", "Events that an ephemeral inbox still held when the process ended.",
			func(c *Channel) *atomic.Int64 { return &c.Abandoned }),
	}
}

package delivery

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/sink/each"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Dispatcher between a fakeQueue and fakeSinks. It lives in a synctest bubble, where settled states are
// reached by synctest.Wait and time is fake.
type rig struct {
	*fakeQueue
	d        *Dispatcher
	registry *prometheus.Registry
	metrics  *telemetry.Metrics
}

// budget is the Dispatcher's, in bytes.
const budget = 64 << 20

func inBubble(t *testing.T, capacity int, test func(r *rig)) {
	t.Helper()
	inBubbleLogging(t, logr.Discard(), capacity, test)
}

func inBubbleLogging(t *testing.T, log logr.Logger, capacity int, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		r := &rig{fakeQueue: newFakeQueue(t), registry: prometheus.NewRegistry()}
		r.metrics = telemetry.New(r.registry)
		r.d = New(r.fakeQueue, capacity, budget, r.metrics, log)
		r.d.random = half
		defer func() { _ = r.d.Stop(r.ended()) }()
		test(r)
	})
}

// ended is a context that is over.
func (r *rig) ended() context.Context {
	ctx, cancel := context.WithCancel(r.t.Context())
	cancel()
	return ctx
}

func (r *rig) use(channels ...Channel) {
	r.t.Helper()
	if err := r.d.Use(r.t.Context(), channels); err != nil {
		r.t.Fatalf("Use: %v", err)
	}
	synctest.Wait()
}

func (r *rig) check(what string, want, got any) {
	r.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// value is what a counter or gauge stands at.
func (r *rig) value(m prometheus.Metric) float64 {
	r.t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		r.t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

// heldMetric is what the metric tells of channel shop: 0 without a series.
func (r *rig) heldMetric() float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "xbot_connector_delivery_held" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return 0
}

// elapse moves the bubble's clock; no real time goes by.
func elapse(d time.Duration) { <-time.After(d) }

// pass lets time go by until everything that happens in it has happened.
func pass(d time.Duration) {
	elapse(d)
	synctest.Wait()
}

func channel(name string, s *fakeSink, change ...func(*config.Delivery)) Channel {
	c := Channel{
		Name:       name,
		SinkDigest: fmt.Sprintf("%p", s),
		Open:       func() (sink.Sink, error) { return each.Sink(s), nil },
		Delivery: config.Delivery{
			Concurrency: 64,
			Retry:       schedule(time.Second, time.Minute, 24*time.Hour),
		},
	}
	for _, f := range change {
		f(&c.Delivery)
	}
	return c
}

func paused(d *config.Delivery) { d.Paused = true }

// hang keeps an attempt until it is cancelled.
func hang(ctx context.Context, _ event.Event) error {
	<-ctx.Done()
	return &sink.Failed{Class: "canceled", Reason: "canceled"}
}

func fail(context.Context, event.Event) error {
	return &sink.Failed{Class: "status", Reason: "HTTP 503"}
}

// takesLong takes every event, each in the given time.
func takesLong(d time.Duration) func(context.Context, event.Event) error {
	return func(context.Context, event.Event) error {
		elapse(d)
		return nil
	}
}

// times are when a sink was reached, since start.
func times(s *fakeSink, start time.Time) []time.Duration {
	arrivals := s.arrivals()
	got := make([]time.Duration, 0, len(arrivals))
	for _, a := range arrivals {
		got = append(got, a.at.Sub(start))
	}
	return got
}

package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Dispatcher between a fakeQueue and fakeSinks. It lives in a synctest
// bubble, where settled states are reached by synctest.Wait and time is fake.
type rig struct {
	*fakeQueue
	d       *Dispatcher
	metrics *telemetry.Metrics
}

func inBubble(t *testing.T, capacity int, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{fakeQueue: newFakeQueue(t), metrics: telemetry.New(prometheus.NewRegistry())}
		r.d = New(r.fakeQueue, capacity, r.metrics, logr.Discard())
		r.d.random = half
		defer func() { _ = r.d.Stop(ended(t)) }()
		test(t, r)
	})
}

// ended is a context that is over.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
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

// pass lets time go by until everything that happens in it has happened.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func channel(name string, s *fakeSink, change ...func(*config.Delivery)) Channel {
	c := Channel{
		Name:       name,
		SinkDigest: fmt.Sprintf("%p", s),
		Open:       func() (sink.Sink, error) { return s, nil },
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

// times are when a sink was reached, since start.
func times(s *fakeSink, start time.Time) []time.Duration {
	var got []time.Duration
	for _, a := range s.arrivals() {
		got = append(got, a.at.Sub(start))
	}
	return got
}

// value is what a counter or gauge stands at.
func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestDeliversWhatWasThereAndWhatComes(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		s := &fakeSink{}
		first := r.accept("shop", "a")
		r.use(channel("shop", s))
		second := r.accept("shop", "a")
		synctest.Wait()
		check(t, "taken", []event.ID{first, second}, r.channel("shop").taken)
		check(t, "attempts", 2.0, value(t, r.metrics.Attempts.WithLabelValues("shop", "taken")))
		check(t, "in flight", 0.0, value(t, r.metrics.DeliveriesInFlight))
	})
}

func TestRetriesOnScheduleThenExpires(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		s := &fakeSink{answer: fail}
		start := time.Now()
		r.accept("shop", "a")
		r.use(channel("shop", s, func(d *config.Delivery) { d.Retry = schedule(2*time.Second, 8*time.Second, 20*time.Second) }))
		pass(time.Minute)
		// Half of 2, 4, 8, 8, …; the last wait is cut to end at maxAge.
		check(t, "attempts", []time.Duration{0, 1e9, 3e9, 7e9, 11e9, 15e9, 19e9, 20e9}, times(s, start))
		dead := r.dead("shop")
		if len(dead) != 1 || dead[0].Reason != "expired after attempt 8: sink failed: HTTP 503" {
			t.Errorf("dead letters: %+v", dead)
		}
		check(t, "failed attempts", 8.0, value(t, r.metrics.Attempts.WithLabelValues("shop", "status")))
		check(t, "dead-lettered", 1.0, value(t, r.metrics.DeadLettered.WithLabelValues("shop", "expired")))
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		var attempts atomic.Int64
		s := &fakeSink{answer: func(context.Context, event.Event) error {
			if attempts.Add(1) == 1 {
				return &sink.Failed{Class: "status", Reason: "HTTP 429", RetryAfter: 90 * time.Second}
			}
			return nil
		}}
		start := time.Now()
		r.accept("shop", "a")
		r.use(channel("shop", s))
		pass(time.Hour)
		check(t, "attempts", []time.Duration{0, 90 * time.Second}, times(s, start))
	})
}

func TestRefusedGoesToTheDeadLettersAndTheLaneGoesOn(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		poison := r.accept("shop", "a")
		good := r.accept("shop", "a")
		s := &fakeSink{answer: func(_ context.Context, e event.Event) error {
			if e.ID == poison {
				return &sink.Refused{Reason: "HTTP 422"}
			}
			return nil
		}}
		r.use(channel("shop", s))
		check(t, "taken", []event.ID{good}, r.channel("shop").taken)
		check(t, "dead-lettered", 1.0, value(t, r.metrics.DeadLettered.WithLabelValues("shop", "refused")))
		check(t, "reason", "sink refused the event: HTTP 422", r.dead("shop")[0].Reason)
	})
}

func TestOrderWithinAConversationAndNoneBetween(t *testing.T) {
	inBubble(t, 1000, func(t *testing.T, r *rig) {
		slow := r.accept("shop", "a")
		afterSlow := r.accept("shop", "a")
		for range 5 {
			r.accept("shop", "b")
			r.accept("shop", "c")
		}
		var failures atomic.Int64
		s := &fakeSink{answer: func(_ context.Context, e event.Event) error {
			if e.ID == slow && failures.Add(1) <= 3 {
				return &sink.Failed{Class: "timeout", Reason: "no answer in 10s"}
			}
			return nil
		}}
		r.use(channel("shop", s))
		check(t, "pending at once", 2, r.pending("shop"))
		pass(time.Hour)
		lanes := make(map[string][]event.ID)
		for _, a := range s.arrivals() {
			lanes[a.lane] = append(lanes[a.lane], a.id)
		}
		check(t, "lane a", []event.ID{slow, slow, slow, slow, afterSlow}, lanes["a"])
		for _, lane := range []string{"b", "c"} {
			if !slices.IsSortedFunc(lanes[lane], func(x, y event.ID) int { return slices.Compare(x[:], y[:]) }) || len(lanes[lane]) != 5 {
				t.Errorf("lane %s out of order: %v", lane, lanes[lane])
			}
		}
	})
}

func TestPausedHoldsAndDoesNotAge(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		s := &fakeSink{answer: fail}
		brief := func(d *config.Delivery) { d.Retry = schedule(time.Second, time.Second, 10*time.Second) }
		r.use(channel("shop", s, brief, paused))
		r.accept("shop", "a")
		pass(time.Hour)
		check(t, "attempts while paused", 0, len(s.arrivals()))
		r.use(channel("shop", s, brief))
		check(t, "attempts at once", 1, len(s.arrivals()))
		check(t, "dead letters", 0, len(r.dead("shop")))
		pass(5 * time.Second)
		r.use(channel("shop", s, brief, paused))
		made := len(s.arrivals())
		pass(time.Hour)
		check(t, "attempts while paused again", made, len(s.arrivals()))
		r.use(channel("shop", s, brief))
		check(t, "dead letters before maxAge", 0, len(r.dead("shop")))
		pass(6 * time.Second)
		check(t, "dead letters after maxAge", 1, len(r.dead("shop")))
	})
}

func TestConcurrencyOfAChannel(t *testing.T) {
	inBubble(t, 1000, func(t *testing.T, r *rig) {
		s := &fakeSink{answer: func(context.Context, event.Event) error { time.Sleep(time.Second); return nil }}
		for i := range 20 {
			r.accept("shop", fmt.Sprint(i))
		}
		three := func(d *config.Delivery) { d.Concurrency = 3 }
		r.use(channel("shop", s, three))
		check(t, "in flight", 3, s.inFlight())
		check(t, "status", 3, r.d.Status("shop").InFlight)
		pass(time.Second)
		check(t, "in flight after the first", 3, s.inFlight())
		r.use(channel("shop", s, func(d *config.Delivery) { d.Concurrency = 5 }))
		check(t, "in flight, raised", 5, s.inFlight())
		pass(time.Minute)
		check(t, "pending", 0, r.pending("shop"))
	})
}

func TestDeadSinksLeaveAChannelAtFullSpeed(t *testing.T) {
	inBubble(t, 1024, func(t *testing.T, r *rig) {
		var channels []Channel
		for i := range 10 {
			name := fmt.Sprintf("dead%d", i)
			for n := range 1000 {
				r.accept(name, fmt.Sprint(n))
			}
			channels = append(channels, channel(name, &fakeSink{answer: hang}))
		}
		r.use(channels...)
		s := &fakeSink{answer: func(context.Context, event.Event) error { time.Sleep(time.Millisecond); return nil }}
		start := time.Now()
		const events, atOnce = 6400, 64
		for n := range events {
			r.accept("live", fmt.Sprint(n))
		}
		r.use(append(channels, channel("live", s))...)
		pass(time.Hour)
		check(t, "pending", 0, r.pending("live"))
		arrivals := s.arrivals()
		check(t, "time of the last attempt", (events/atOnce-1)*time.Millisecond, arrivals[len(arrivals)-1].at.Sub(start))
	})
}

// Channels that would each fill the whole process, at sinks that answer only
// after a time-out, settle at equal shares and leave one share free.
func TestGreedyChannelsSettleAtEqualShares(t *testing.T) {
	inBubble(t, 110, func(t *testing.T, r *rig) {
		var sinks []*fakeSink
		var channels []Channel
		for i := range 10 {
			name := fmt.Sprint(i)
			for n := range 2000 {
				r.accept(name, fmt.Sprint(n))
			}
			s := &fakeSink{answer: func(ctx context.Context, e event.Event) error {
				time.Sleep(5*time.Second + time.Duration(e.ID[1])*50*time.Millisecond)
				return fail(ctx, e)
			}}
			sinks = append(sinks, s)
			channels = append(channels, channel(name, s, func(d *config.Delivery) { d.Concurrency = 1000 }))
		}
		r.use(channels...)
		pass(10*time.Minute + time.Second)
		total := 0
		for i, s := range sinks {
			got := s.inFlight()
			total += got
			if got < 8 || got > 12 {
				t.Errorf("channel %d holds %d slots, want about 110/11", i, got)
			}
		}
		if free := 110 - total; free < 8 {
			t.Errorf("%d slots are free, want about 110/11", free)
		}
	})
}

func TestOverallBoundHoldsAndHeldBackChannelsAreWoken(t *testing.T) {
	inBubble(t, 16, func(t *testing.T, r *rig) {
		var busy, most atomic.Int64
		work := func(context.Context, event.Event) error {
			if n := busy.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(10 * time.Millisecond)
			busy.Add(-1)
			return nil
		}
		var channels []Channel
		for i := range 5 {
			name := fmt.Sprint(i)
			for n := range 500 {
				r.accept(name, fmt.Sprint(n))
			}
			channels = append(channels, channel(name, &fakeSink{answer: work}))
		}
		r.use(channels...)
		pass(time.Hour)
		for _, c := range channels {
			check(t, "pending of "+c.Name, 0, r.pending(c.Name))
		}
		if got := most.Load(); got > 16 || got < 8 {
			t.Errorf("at most %d attempts at once, want no more than 16 and no fewer than half", got)
		}
	})
}

func TestIdleChannelsAreQuiet(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		var channels []Channel
		for i := range 100 {
			channels = append(channels, channel(fmt.Sprint(i), &fakeSink{}))
		}
		r.use(channels...)
		check(t, "claims at start", 100, r.claimCalls)
		pass(24 * time.Hour)
		check(t, "claims after a day", 100, r.claimCalls)
	})
}

func TestReloadSwapsASinkAfterItsAttempts(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		before := &fakeSink{answer: func(context.Context, event.Event) error { time.Sleep(time.Minute); return nil }}
		after, other := &fakeSink{}, &fakeSink{}
		r.use(channel("shop", before), channel("other", other))
		r.accept("shop", "a")
		r.accept("shop", "a")
		synctest.Wait()
		r.use(channel("shop", after), channel("other", other))
		r.accept("shop", "b")
		synctest.Wait()
		check(t, "closed under an attempt", 0, before.closings())
		check(t, "lane b at the new sink", 1, len(after.arrivals()))
		pass(time.Minute)
		check(t, "closed after the attempt", 1, before.closings())
		check(t, "at the old sink", 1, len(before.arrivals()))
		check(t, "at the new sink", 2, len(after.arrivals()))
		check(t, "closed unchanged", 0, other.closings())
		check(t, "configured once each", []string{"shop", "other"}, r.configured)
		_ = r.d.Stop(t.Context())
		check(t, "closed at the end", []int{1, 1, 1}, []int{before.closings(), after.closings(), other.closings()})
	})
}

func TestReloadRemovesAndBringsBack(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		s := &fakeSink{answer: func(context.Context, event.Event) error { time.Sleep(time.Minute); return nil }}
		r.use(channel("shop", s))
		r.accept("shop", "a")
		synctest.Wait()
		r.use()
		r.accept("shop", "b")
		pass(time.Second)
		check(t, "attempts after the removal", 1, len(s.arrivals()))
		check(t, "status", Status{}, r.d.Status("shop"))
		pass(time.Hour)
		check(t, "closed", 1, s.closings())
		check(t, "pending", 1, r.pending("shop"))
		again := &fakeSink{}
		r.use(channel("shop", again))
		check(t, "pending after its return", 0, r.pending("shop"))
		check(t, "configured anew", []string{"shop", "shop"}, r.configured)
	})
}

func TestReloadUnderTraffic(t *testing.T) {
	inBubble(t, 32, func(t *testing.T, r *rig) {
		const lanes, perLane = 20, 50
		var mu sync.Mutex
		seen := make(map[string][]event.ID)
		sinks := make([]*fakeSink, 0, 40)
		newSink := func() *fakeSink {
			s := &fakeSink{answer: func(_ context.Context, e event.Event) error {
				time.Sleep(3 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				seen[e.Conversation] = append(seen[e.Conversation], e.ID)
				return nil
			}}
			sinks = append(sinks, s)
			return s
		}
		want := make(map[string][]event.ID)
		for i := range perLane {
			for lane := range lanes {
				name := fmt.Sprint(lane)
				want[name] = append(want[name], r.accept("shop", name))
			}
			switch i % 4 {
			case 0:
				r.use(channel("shop", newSink()))
			case 1:
				r.use(channel("shop", newSink(), paused))
			case 2:
				r.use()
			default:
				r.use(channel("shop", newSink(), func(d *config.Delivery) { d.Concurrency = 1 + i%3 }))
			}
			pass(2 * time.Millisecond)
		}
		r.use(channel("shop", newSink()))
		pass(time.Hour)
		check(t, "arrived once each, in order", want, seen)
		for i, s := range sinks[:len(sinks)-1] {
			check(t, fmt.Sprintf("closings of sink %d", i), 1, s.closings())
		}
	})
}

func TestRefusedReloadChangesNothing(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		old, opened := &fakeSink{}, &fakeSink{}
		r.use(channel("shop", old))
		bad := channel("bad", nil)
		errCA := errors.New("no certificate in the CA bundle")
		bad.Open = func() (sink.Sink, error) { return nil, errCA }
		if err := r.d.Use(t.Context(), []Channel{channel("shop", opened), bad}); !errors.Is(err, errCA) {
			t.Errorf("Use: %v, want %v", err, errCA)
		}
		check(t, "newly opened is closed", 1, opened.closings())

		r.fail(&r.failConfigure, errDisk)
		unopened := &fakeSink{}
		if err := r.d.Use(t.Context(), []Channel{channel("shop", unopened, paused)}); !errors.Is(err, errDisk) {
			t.Errorf("Use: %v, want %v", err, errDisk)
		}
		check(t, "newly opened is closed", 1, unopened.closings())
		r.fail(&r.failConfigure, nil)

		r.accept("shop", "a")
		synctest.Wait()
		check(t, "at the old sink", 1, len(old.arrivals()))
		r.use(channel("shop", old))
		check(t, "told again what the inbox may not know", []string{"shop", "shop"}, r.configured)
	})
}

func TestStoreTroubleIsOutlivedAndLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged atomic.Int64
		q := newFakeQueue(t)
		d := New(q, 8, telemetry.New(prometheus.NewRegistry()), funcr.New(func(_, _ string) { logged.Add(1) }, funcr.Options{}))
		s := &fakeSink{}
		q.fail(&q.failClaim, errDisk)
		q.accept("shop", "a")
		if err := d.Use(t.Context(), []Channel{channel("shop", s)}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		check(t, "lines after a minute of failing claims", int64(1), logged.Load())
		if q.claimCalls > 30 {
			t.Errorf("%d claims in a minute, want backoff", q.claimCalls)
		}
		q.fail(&q.failSettle, errDisk)
		q.fail(&q.failClaim, nil)
		pass(time.Minute)
		check(t, "attempts while settling fails", 1, len(s.arrivals()))
		check(t, "held while settling fails", 1, q.held("shop"))
		check(t, "lines: claim well, settle bad", int64(3), logged.Load())
		q.fail(&q.failSettle, nil)
		pass(time.Minute)
		check(t, "pending", 0, q.pending("shop"))
		check(t, "attempts", 1, len(s.arrivals()))
		check(t, "lines: settle well", int64(4), logged.Load())
		if err := d.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
}

func TestStatusTellsTheLastError(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		var up atomic.Bool
		s := &fakeSink{answer: func(ctx context.Context, e event.Event) error {
			if up.Load() {
				return nil
			}
			return fail(ctx, e)
		}}
		start := time.Now()
		r.use(channel("shop", s))
		check(t, "status before any attempt", Status{}, r.d.Status("shop"))
		r.accept("shop", "a")
		synctest.Wait()
		want := Status{LastError: "sink failed: HTTP 503", LastErrorAt: start}
		check(t, "status after a failure", want, r.d.Status("shop"))
		up.Store(true)
		pass(time.Hour)
		want.LastTakenAt = start.Add(500 * time.Millisecond)
		check(t, "status after a success", want, r.d.Status("shop"))
	})
}

func TestDrainWaitsForRetriesAndLanes(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		var attempts atomic.Int64
		s := &fakeSink{answer: func(ctx context.Context, e event.Event) error {
			if attempts.Add(1) <= 2 {
				return fail(ctx, e)
			}
			time.Sleep(time.Second)
			return nil
		}}
		held := &fakeSink{}
		r.use(channel("shop", s), channel("paused", held, paused), channel("idle", &fakeSink{}))
		r.accept("paused", "a")
		for range 3 {
			r.accept("shop", "a")
		}
		start := time.Now()
		if err := r.d.Drain(t.Context()); err != nil {
			t.Fatalf("Drain: %v", err)
		}
		check(t, "pending", 0, r.pending("shop"))
		check(t, "time taken", 500*time.Millisecond+time.Second+3*time.Second, time.Since(start))
		check(t, "paused backlog", 1, r.pending("paused"))
		if err := r.d.Drain(t.Context()); err != nil {
			t.Errorf("Drain again: %v", err)
		}
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		r.use(channel("shop", &fakeSink{answer: fail}))
		r.accept("shop", "a")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := r.d.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
		check(t, "pending", 1, r.pending("shop"))
	})
}

func TestStopWaitsForAttemptsUnderWay(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		s := &fakeSink{answer: func(context.Context, event.Event) error { time.Sleep(5 * time.Second); return nil }}
		r.accept("shop", "a")
		r.accept("shop", "a")
		r.use(channel("shop", s))
		if err := r.d.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		check(t, "pending", 1, r.pending("shop"))
		check(t, "attempts", 1, len(s.arrivals()))
		check(t, "closed", 1, s.closings())
		if err := r.d.Stop(t.Context()); err != nil {
			t.Errorf("Stop again: %v", err)
		}
		if err := r.d.Use(t.Context(), nil); !errors.Is(err, ErrStopped) {
			t.Errorf("Use after Stop: %v", err)
		}
	})
}

func TestStopCutsAttemptsShortAndReleasesThem(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		r.accept("shop", "a")
		r.use(channel("shop", &fakeSink{answer: hang}))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := r.d.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		check(t, "time taken", 3*time.Second, time.Since(start))
		check(t, "held", 0, r.held("shop"))
		head := r.channel("shop").lanes["a"][0]
		check(t, "failed attempts counted", 0, head.Attempts)
		if !head.due.IsZero() {
			t.Errorf("a released event waits until %v", head.due)
		}
	})
}

func TestStopEndsEvenIfTheStoreNeverSettles(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, r *rig) {
		s := &fakeSink{}
		r.fail(&r.failSettle, errDisk)
		r.accept("shop", "a")
		r.use(channel("shop", s))
		start := time.Now()
		if err := r.d.Stop(ended(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("Stop: %v", err)
		}
		check(t, "time taken", settleGrace, time.Since(start))
		check(t, "held", 1, r.held("shop"))
		check(t, "closed", 1, s.closings())
	})
}

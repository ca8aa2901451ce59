package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

// asks is a sink's wish to be left alone.
func asks(pause time.Duration) error {
	return &sink.Failed{Class: "status", Reason: "HTTP 503", RetryAfter: pause}
}

// poisonedSink takes all events but those of conversations that are called poisoned.
func poisonedSink(pause time.Duration) *fakeSink {
	return &fakeSink{answer: func(_ context.Context, e event.Event) error {
		if strings.HasPrefix(e.Conversation, "poisoned") {
			return asks(pause)
		}
		return nil
	}}
}

func TestHold(t *testing.T) {
	const pause = 20 * time.Second
	down := &sink.Failed{Class: "connection"}
	refused := &sink.Refused{Reason: "HTTP 422"}
	type step struct {
		conversation string
		err          error
	}
	tests := map[string]struct {
		steps []step
		want  time.Duration // between probes; zero: not held
	}{
		"nothing":                  {nil, 0},
		"two conversations":        {[]step{{"a", asks(pause)}, {"b", asks(pause)}}, 0},
		"three conversations":      {[]step{{"a", asks(pause)}, {"b", asks(pause)}, {"c", asks(pause)}}, pause},
		"one conversation, often":  {[]step{{"a", asks(pause)}, {"a", asks(pause)}, {"a", asks(pause)}, {"a", asks(pause)}}, 0},
		"two conversations, often": {[]step{{"a", asks(pause)}, {"b", asks(pause)}, {"a", asks(pause)}, {"b", asks(pause)}}, 0},
		"one taken between":        {[]step{{"a", asks(pause)}, {"b", asks(pause)}, {"d", nil}, {"c", asks(pause)}}, 0},
		"three after one taken": {
			[]step{{"a", asks(pause)}, {"d", nil}, {"a", asks(pause)}, {"b", asks(pause)}, {"c", asks(pause)}}, pause,
		},
		"other failures between": {
			[]step{{"a", asks(pause)}, {"a", down}, {"b", asks(pause)}, {"d", refused}, {"c", asks(pause)}}, pause,
		},
		"failures without a Retry-After": {[]step{{"a", down}, {"b", down}, {"c", down}, {"d", refused}}, 0},
		"a long pause":                   {[]step{{"a", asks(pause)}, {"b", asks(pause)}, {"c", asks(time.Hour)}}, longestProbeWait},
		"the newest wish": {
			[]step{{"a", asks(pause)}, {"b", asks(pause)}, {"c", asks(pause)}, {"a", asks(time.Second)}}, time.Second,
		},
		"held, and other failures": {[]step{{"a", asks(pause)}, {"b", asks(pause)}, {"c", asks(pause)}, {"d", down}}, pause},
		"held, and one taken":      {[]step{{"a", asks(pause)}, {"b", asks(pause)}, {"c", asks(pause)}, {"a", nil}}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var h hold
			was, changes := false, 0
			for _, s := range tt.steps {
				claim := inbox.Claim{Event: event.Event{Conversation: s.conversation}}
				if h.observe(attempt{claim: claim, err: s.err, ended: time.Unix(1, 0)}) {
					changes++
				}
				if h.held() != was {
					was = !was
					changes--
				}
			}
			if h.every != tt.want || changes != 0 {
				t.Errorf("a probe each %v, want %v; %d changes untold", h.every, tt.want, changes)
			}
		})
	}
}

// TestABusySinkIsLeftAlone: 200 conversations do not make 200 requests to a sink that asks for a pause of 30 s. Each
// probe is of another conversation, and with the first event that is taken everything goes on.
func TestABusySinkIsLeftAlone(t *testing.T) {
	const conversations, concurrency, pause = 200, 8, 30 * time.Second
	inBubble(t, 64, func(r *rig) {
		var busy atomic.Bool
		busy.Store(true)
		s := &fakeSink{answer: func(context.Context, event.Event) error {
			elapse(10 * time.Millisecond)
			if busy.Load() {
				return asks(pause)
			}
			return nil
		}}
		for n := range conversations {
			r.accept("shop", fmt.Sprint(n))
		}
		r.use(channel("shop", s, func(d *config.Delivery) { d.Concurrency = concurrency }))
		pass(6 * time.Second)
		burst := len(s.arrivals())
		if burst >= concurrency+holdAfter { // those under way when the third answer came
			r.t.Errorf("%d requests in 6 s", burst)
		}
		r.check("metric", 1.0, r.heldMetric())
		if r.d.Status("shop").NextProbe.IsZero() {
			r.t.Error("the status does not show the hold")
		}

		pass(10 * pause)
		probes := s.arrivals()[burst:]
		r.check("probes in 300 s", 10, len(probes))
		for i := 1; i < len(probes); i++ {
			if probes[i].lane == probes[i-1].lane || probes[i].at.Sub(probes[i-1].at) < pause {
				r.t.Errorf("probe %d: of %q, %v after one of %q", i, probes[i].lane, probes[i].at.Sub(probes[i-1].at), probes[i-1].lane)
			}
		}

		busy.Store(false)
		pass(pause + time.Minute)
		r.check("pending", 0, r.pending("shop"))
		r.check("metric", 0.0, r.heldMetric())
		if next := r.d.Status("shop").NextProbe; !next.IsZero() {
			r.t.Errorf("the status shows a probe at %v", next)
		}
	})
}

// TestAPoisonedConversationHoldsItselfOnly: the others go on at their pace.
func TestAPoisonedConversationHoldsItselfOnly(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		s := poisonedSink(10 * time.Second)
		r.use(channel("shop", s))
		for range 3 {
			r.accept("shop", "poisoned-1")
			r.accept("shop", "poisoned-2")
		}
		pass(time.Minute)
		for n := range 50 {
			r.accept("shop", fmt.Sprint(n))
		}
		pass(time.Second)
		r.check("pending", 6, r.pending("shop"))
		r.check("metric", 0.0, r.heldMetric())
	})
}

// TestAChangedChannelEndsTheHold, and a paused one does not become held.
func TestAChangedChannelEndsTheHold(t *testing.T) {
	changes := map[string]func(*config.Delivery){
		"paused":      paused,
		"concurrency": func(d *config.Delivery) { d.Concurrency = 3 },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			poisonedHold(t, 10, func(r *rig, s *fakeSink) {
				before := len(s.arrivals())
				r.accept("shop", "healthy")
				r.use(channel("shop", s, change))
				r.check("metric", 0.0, r.heldMetric())
				r.check("next probe", time.Time{}, r.d.Status("shop").NextProbe)
				r.use(channel("shop", s))
				r.check("further attempts", 1, len(s.arrivals())-before)
				r.check("pending", 10, r.pending("shop"))
			})
		})
	}
}

func TestAnswersToAPausedChannelHoldNothing(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		s := &fakeSink{answer: func(context.Context, event.Event) error {
			elapse(time.Second)
			return asks(time.Minute)
		}}
		r.use(channel("shop", s))
		for n := range 5 {
			r.accept("shop", fmt.Sprint(n))
		}
		synctest.Wait()
		r.use(channel("shop", s, paused))
		pass(time.Second)
		r.check("attempts", 5, len(s.arrivals()))
		r.check("metric", 0.0, r.heldMetric())
		r.check("next probe", time.Time{}, r.d.Status("shop").NextProbe)
	})
}

// TestARemovedChannelLeavesNoHold: neither in the metrics, nor when the attempts end that were under way, nor when the
// channel is back.
func TestARemovedChannelLeavesNoHold(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		s := &fakeSink{answer: func(_ context.Context, e event.Event) error {
			if strings.HasPrefix(e.Conversation, "slow") {
				elapse(time.Minute)
			}
			return asks(time.Hour)
		}}
		r.use(channel("shop", s))
		for n := range 5 {
			r.accept("shop", fmt.Sprint("slow-", n))
		}
		synctest.Wait()
		for n := range holdAfter { // no more: one not attempted before the hold would be at its return
			r.accept("shop", fmt.Sprint(n))
		}
		pass(time.Second)
		r.check("metric", 1.0, r.heldMetric())
		r.use()
		r.metrics.Retain(nil)
		pass(2 * time.Minute)
		series := make(chan prometheus.Metric, 8)
		r.metrics.Collect(series)
		r.check("series", 0, len(series))
		r.check("claimed", 0, r.held("shop"))
		good := &fakeSink{}
		r.accept("shop", "new")
		r.use(channel("shop", good))
		r.check("attempts after its return", 1, len(good.arrivals()))
	})
}

// TestAReloadToAnotherSinkEndsTheHold, and late answers of the old sink do not begin one at the new.
func TestAReloadToAnotherSinkEndsTheHold(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		late := make(chan struct{})
		busy := &fakeSink{answer: func(_ context.Context, e event.Event) error {
			if strings.HasPrefix(e.Conversation, "slow") {
				<-late
			}
			return asks(time.Hour)
		}}
		for n := range 3 {
			r.accept("shop", fmt.Sprint(n))
			r.accept("shop", fmt.Sprint("slow-", n))
		}
		r.use(channel("shop", busy))
		r.check("metric", 1.0, r.heldMetric())
		r.accept("shop", "new")
		good := &fakeSink{}
		r.use(channel("shop", good))
		r.check("metric", 0.0, r.heldMetric())
		r.check("attempts at the new sink", 1, len(good.arrivals()))
		close(late)
		r.accept("shop", "newer")
		pass(time.Second)
		r.check("attempts at the new sink", 2, len(good.arrivals()))
	})
}

// TestAHoldLosesNoEventAndNoOrder: whatever mix of answers comes, everything is taken in the end, each conversation in
// order.
func TestAHoldLosesNoEventAndNoOrder(t *testing.T) {
	inBubble(t, 16, func(r *rig) {
		var mu sync.Mutex
		attempts := map[string]int{}
		s := &fakeSink{answer: func(_ context.Context, e event.Event) error {
			mu.Lock()
			defer mu.Unlock()
			attempts[e.Conversation]++
			if attempts[e.Conversation]%3 != 0 {
				return asks(time.Duration(attempts[e.Conversation]) * time.Second)
			}
			return nil
		}}
		r.use(channel("shop", s, func(d *config.Delivery) { d.Concurrency = 4 }))
		for n := range 60 {
			r.accept("shop", fmt.Sprint(n%12))
		}
		pass(6 * time.Hour)
		r.check("pending", 0, r.pending("shop"))
		r.check("held", 0, r.held("shop"))
		last := map[string]event.ID{}
		for _, a := range s.arrivals() {
			if before := last[a.lane]; string(a.id[:]) < string(before[:]) {
				r.t.Errorf("conversation %s: %v after %v", a.lane, a.id, before)
			}
			last[a.lane] = a.id
		}
	})
}

// TestStopEndsAHold: a held channel stops at once.
func TestStopEndsAHold(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		r.use(channel("shop", &fakeSink{answer: func(context.Context, event.Event) error { return asks(time.Hour) }}))
		for n := range 10 {
			r.accept("shop", fmt.Sprint(n))
		}
		pass(time.Second)
		start := time.Now()
		if err := r.d.Stop(r.t.Context()); err != nil {
			r.t.Error(err)
		}
		r.check("time taken", time.Duration(0), time.Since(start))
		r.check("held claims", 0, r.held("shop"))
	})
}

// TestDrainEndsAHold: at the end of the process what the sink takes is delivered, whatever stands before it, and no
// conversation is tried again before its own pause is over.
func TestDrainEndsAHold(t *testing.T) {
	inBubble(t, 4, func(r *rig) {
		s := &fakeSink{answer: func(_ context.Context, e event.Event) error {
			elapse(10 * time.Millisecond)
			if strings.HasPrefix(e.Conversation, "poisoned") {
				return asks(time.Hour)
			}
			return nil
		}}
		const poisoned, healthy = 20, 100
		for n := range poisoned {
			r.accept("shop", fmt.Sprint("poisoned-", n))
		}
		r.use(channel("shop", s))
		pass(time.Second)
		for n := range healthy {
			r.accept("shop", fmt.Sprint(n))
		}
		pass(time.Second)
		r.check("pending while held", poisoned+healthy, r.pending("shop"))
		ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
		defer cancel()
		if err := r.d.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			r.t.Errorf("Drain: %v", err)
		}
		r.check("pending", poisoned, r.pending("shop"))
		r.check("attempts", poisoned+healthy, len(s.arrivals()))
		r.check("metric", 0.0, r.heldMetric())
		r.check("next probe", time.Time{}, r.d.Status("shop").NextProbe)
	})
}

// TestDrainWaitsForClaimsThatAreGivenBack: they are pending, though no attempt is under way.
func TestDrainWaitsForClaimsThatAreGivenBack(t *testing.T) {
	poisonedHold(t, 10, func(r *rig, s *fakeSink) {
		gate := make(chan struct{})
		r.gateReleases(gate)
		s.answers(nil)
		pass(time.Second) // a probe, which is taken
		r.check("claims to give back", 9, r.held("shop"))
		drained := make(chan error, 1)
		go func() { drained <- r.d.Drain(r.t.Context()) }()
		synctest.Wait()
		r.check("drained before they are back", 0, len(drained))
		close(gate)
		if err := <-drained; err != nil {
			r.t.Errorf("Drain: %v", err)
		}
		r.check("pending", 0, r.pending("shop"))
	})
}

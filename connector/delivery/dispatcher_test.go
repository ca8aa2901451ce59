package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

func TestDeliversWhatWasThereAndWhatComes(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		s := &fakeSink{}
		first := r.accept("shop", "a")
		r.use(channel("shop", s))
		second := r.accept("shop", "a")
		synctest.Wait()
		r.check("taken", []event.ID{first, second}, r.taken("shop"))
		r.check("attempts", int64(2), r.metrics.Of("shop").Attempts.Of("taken"))
		r.check("in flight", 0.0, r.value(r.metrics.DeliveriesInFlight))
	})
}

func TestRetriesOnScheduleThenExpires(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		s := &fakeSink{answer: fail}
		start := time.Now()
		r.accept("shop", "a")
		r.use(channel("shop", s, func(d *config.Delivery) { d.Retry = schedule(2*time.Second, 8*time.Second, 20*time.Second) }))
		pass(time.Minute)
		// Half of 2, 4, 8, 8, …; the last wait is cut to end at maxAge.
		r.check("attempts", []time.Duration{0, 1e9, 3e9, 7e9, 11e9, 15e9, 19e9, 20e9}, times(s, start))
		dead := r.dead("shop")
		if len(dead) != 1 || dead[0].Reason != "expired after attempt 8: sink failed: HTTP 503" {
			r.t.Errorf("dead letters: %+v", dead)
		}
		r.check("failed attempts", int64(8), r.metrics.Of("shop").Attempts.Of("status"))
		r.check("dead-lettered", int64(1), r.metrics.Of("shop").DeadLettered.Of("expired"))
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
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
		r.check("attempts", []time.Duration{0, 90 * time.Second}, times(s, start))
	})
}

func TestRefusedGoesToTheDeadLettersAndTheLaneGoesOn(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		poison := r.accept("desk", "a")
		good := r.accept("desk", "a")
		s := &fakeSink{answer: func(_ context.Context, e event.Event) error {
			if e.ID == poison {
				return &sink.Refused{Reason: "HTTP 422"}
			}
			return nil
		}}
		r.use(channel("desk", s))
		r.check("taken", []event.ID{good}, r.taken("desk"))
		r.check("dead-lettered", int64(1), r.metrics.Of("desk").DeadLettered.Of("refused"))
		r.check("reason", "sink refused the event: HTTP 422", r.dead("desk")[0].Reason)
	})
}

func TestOrderWithinAConversationAndNoneBetween(t *testing.T) {
	inBubble(t, 1000, func(r *rig) {
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
		r.check("pending at once", 2, r.pending("shop"))
		pass(time.Hour)
		lanes := make(map[string][]event.ID)
		for _, a := range s.arrivals() {
			lanes[a.lane] = append(lanes[a.lane], a.id)
		}
		r.check("lane a", []event.ID{slow, slow, slow, slow, afterSlow}, lanes["a"])
		for _, lane := range []string{"b", "c"} {
			if !slices.IsSortedFunc(lanes[lane], func(x, y event.ID) int { return slices.Compare(x[:], y[:]) }) || len(lanes[lane]) != 5 {
				r.t.Errorf("lane %s out of order: %v", lane, lanes[lane])
			}
		}
	})
}

func TestPausedHoldsAndDoesNotAge(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		s := &fakeSink{answer: fail}
		brief := func(d *config.Delivery) { d.Retry = schedule(time.Second, time.Second, 10*time.Second) }
		r.use(channel("shop", s, brief, paused))
		r.accept("shop", "a")
		pass(time.Hour)
		r.check("attempts while paused", 0, len(s.arrivals()))
		r.use(channel("shop", s, brief))
		r.check("attempts at once", 1, len(s.arrivals()))
		r.check("dead letters", 0, len(r.dead("shop")))
		pass(5 * time.Second)
		r.use(channel("shop", s, brief, paused))
		made := len(s.arrivals())
		pass(time.Hour)
		r.check("attempts while paused again", made, len(s.arrivals()))
		r.use(channel("shop", s, brief))
		r.check("dead letters before maxAge", 0, len(r.dead("shop")))
		pass(6 * time.Second)
		r.check("dead letters after maxAge", 1, len(r.dead("shop")))
	})
}

func TestIdleChannelsAreQuiet(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		channels := make([]Channel, 0, 100)
		for i := range 100 {
			channels = append(channels, channel(fmt.Sprint(i), &fakeSink{}))
		}
		r.use(channels...)
		r.check("claims at start", 100, r.claimCalls)
		pass(24 * time.Hour)
		r.check("claims after a day", 100, r.claimCalls)
	})
}

func TestStoreTroubleIsOutlivedAndLoggedOnce(t *testing.T) {
	var logged atomic.Int64
	log := funcr.New(func(_, _ string) { logged.Add(1) }, funcr.Options{})
	inBubbleLogging(t, log, 8, func(r *rig) {
		s := &fakeSink{}
		r.fail(&r.failClaim, errDisk)
		r.accept("shop", "a")
		r.use(channel("shop", s))
		pass(time.Minute)
		r.check("lines after a minute of failing claims", int64(1), logged.Load())
		if r.claimCalls > 30 {
			r.t.Errorf("%d claims in a minute, want backoff", r.claimCalls)
		}
		r.fail(&r.failSettle, errDisk)
		r.fail(&r.failClaim, nil)
		pass(time.Minute)
		r.check("attempts while settling fails", 1, len(s.arrivals()))
		r.check("held while settling fails", 1, r.held("shop"))
		r.check("lines: claim well, settle bad", int64(3), logged.Load())
		r.fail(&r.failSettle, nil)
		pass(time.Minute)
		r.check("pending", 0, r.pending("shop"))
		r.check("attempts", 1, len(s.arrivals()))
		r.check("lines: settle well", int64(4), logged.Load())
	})
}

func TestClosedInboxEndsTheDeliveries(t *testing.T) {
	var logged atomic.Int64
	log := funcr.New(func(_, _ string) { logged.Add(1) }, funcr.Options{})
	inBubbleLogging(t, log, 8, func(r *rig) {
		s := &fakeSink{answer: takesLong(time.Minute)}
		r.use(channel("shop", s))
		r.accept("shop", "a")
		synctest.Wait()
		r.fail(&r.failClaim, inbox.ErrClosed)
		r.fail(&r.failSettle, fmt.Errorf("settle: %w", inbox.ErrClosed))
		r.accept("shop", "b")
		pass(time.Hour)
		r.check("closed", 1, s.closings())
		r.check("lines", int64(0), logged.Load())
		if err := r.d.Drain(r.t.Context()); err != nil {
			r.t.Errorf("Drain: %v", err)
		}
	})
}

// A sink that fails every attempt fills no log: one line a minute, with neither the conversation nor the body.
func TestFailedAttemptsAreLoggedSparingly(t *testing.T) {
	var lines []string
	log := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
	inBubbleLogging(t, log, 8, func(r *rig) {
		s := &fakeSink{answer: fail}
		r.use(channel("shop", s, func(d *config.Delivery) { d.Retry = schedule(time.Second, time.Second, time.Hour) }))
		r.accept("shop", "user-4711")
		pass(10*time.Minute - time.Second)
		r.check("lines in ten minutes", 10, len(lines))
		if all := strings.Join(lines, "\n"); strings.Contains(all, "4711") || !strings.Contains(all, "HTTP 503") {
			r.t.Errorf("logged: %s", all)
		}
	})
}

func TestStatusTellsTheLastError(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		var up atomic.Bool
		s := &fakeSink{answer: func(ctx context.Context, e event.Event) error {
			if up.Load() {
				return nil
			}
			return fail(ctx, e)
		}}
		start := time.Now()
		r.use(channel("shop", s))
		r.check("status before any attempt", Status{}, r.d.Status("shop"))
		r.accept("shop", "a")
		synctest.Wait()
		want := Status{LastError: "sink failed: HTTP 503", LastErrorAt: start, FailingSince: start}
		r.check("status after a failure", want, r.d.Status("shop"))
		up.Store(true)
		pass(time.Hour)
		want.LastTakenAt, want.FailingSince = start.Add(500*time.Millisecond), time.Time{}
		r.check("status after a success", want, r.d.Status("shop"))
	})
}

// TestTheInboxGetsItsSettings: the inbox decides the lanes.
func TestTheInboxGetsItsSettings(t *testing.T) {
	for ordering, want := range map[config.Ordering]inbox.Ordering{
		config.PerConversation: inbox.PerConversation, config.Unordered: inbox.Unordered,
	} {
		inBubble(t, 8, func(r *rig) {
			c := channel("shop", &fakeSink{}, paused, func(d *config.Delivery) {
				d.Ordering, d.DeadLetterRetention = ordering, config.Duration(time.Hour)
			})
			r.use(c)
			settings := inbox.Settings{Ordering: want, Paused: true, DeadLetterRetention: time.Hour}
			r.check("settings", settings, r.channels["shop"].settings)
			c.Delivery.Paused, settings.Paused = false, false
			r.use(c)
			r.check("settings after a change", settings, r.channels["shop"].settings)
		})
	}
}

// TestALostClaimEndsNoClaiming: an inbox that says so of the claiming itself is one that fails, and may work again.
func TestALostClaimEndsNoClaiming(t *testing.T) {
	var lines []string
	log := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
	inBubbleLogging(t, log, 8, func(r *rig) {
		r.fail(&r.failClaim, fmt.Errorf("claim: %w", inbox.ErrLost))
		r.use(channel("shop", &fakeSink{}))
		id := r.accept("shop", "a")
		pass(time.Minute)
		if len(lines) != 1 || !strings.Contains(lines[0], "The inbox fails; trying again until it works") {
			t.Errorf("logged: %q", lines)
		}
		r.fail(&r.failClaim, nil)
		pass(time.Minute)
		r.check("taken", []event.ID{id}, r.taken("shop"))
	})
}

// TestALostClaimIsLeft: another replica delivers the event, and its death is not counted here.
func TestALostClaimIsLeft(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		r.fail(&r.failSettle, fmt.Errorf("settle: %w", inbox.ErrLost))
		s := &fakeSink{answer: func(context.Context, event.Event) error { return &sink.Refused{Reason: "HTTP 422"} }}
		r.use(channel("shop", s))
		r.accept("shop", "a")
		pass(time.Hour)
		r.check("attempts", 1, len(s.arrivals()))
		r.check("in flight", 0, r.d.Status("shop").InFlight)
		r.check("dead letters counted", int64(0), r.metrics.Of("shop").DeadLettered.Of("refused"))
	})
}

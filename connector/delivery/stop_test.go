package delivery

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
)

func TestDrainWaitsForRetriesAndLanes(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		var attempts atomic.Int64
		s := &fakeSink{answer: func(ctx context.Context, e event.Event) error {
			if attempts.Add(1) <= 2 {
				return fail(ctx, e)
			}
			elapse(time.Second)
			return nil
		}}
		held := &fakeSink{}
		r.use(channel("shop", s), channel("paused", held, paused), channel("idle", &fakeSink{}))
		r.accept("paused", "a")
		for range 3 {
			r.accept("shop", "a")
		}
		start := time.Now()
		if err := r.d.Drain(r.t.Context()); err != nil {
			r.t.Fatalf("Drain: %v", err)
		}
		r.check("pending", 0, r.pending("shop"))
		r.check("time taken", 500*time.Millisecond+time.Second+3*time.Second, time.Since(start))
		r.check("paused backlog", 1, r.pending("paused"))
		if err := r.d.Drain(r.t.Context()); err != nil {
			r.t.Errorf("Drain again: %v", err)
		}
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		r.use(channel("shop", &fakeSink{answer: fail}))
		r.accept("shop", "a")
		ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
		defer cancel()
		if err := r.d.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			r.t.Errorf("Drain: %v", err)
		}
		r.check("pending", 1, r.pending("shop"))
	})
}

func TestStopWaitsForAttemptsUnderWay(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		s := &fakeSink{answer: takesLong(5 * time.Second)}
		r.accept("shop", "a")
		r.accept("shop", "a")
		r.use(channel("shop", s))
		if err := r.d.Stop(r.t.Context()); err != nil {
			r.t.Errorf("Stop: %v", err)
		}
		r.check("pending", 1, r.pending("shop"))
		r.check("attempts", 1, len(s.arrivals()))
		r.check("closed", 1, s.closings())
		if err := r.d.Stop(r.t.Context()); err != nil {
			r.t.Errorf("Stop again: %v", err)
		}
		if err := r.d.Use(r.t.Context(), nil); !errors.Is(err, ErrStopped) {
			r.t.Errorf("Use after Stop: %v", err)
		}
	})
}

func TestStopCutsAttemptsShortAndReleasesThem(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		r.accept("shop", "a")
		r.use(channel("shop", &fakeSink{answer: hang}))
		start := time.Now()
		ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Second)
		defer cancel()
		if err := r.d.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			r.t.Errorf("Stop: %v", err)
		}
		r.check("time taken", 3*time.Second, time.Since(start))
		r.check("held", 0, r.held("shop"))
		head := r.channel("shop").lanes["a"][0]
		r.check("failed attempts counted", 0, head.Attempts)
		if !head.due.IsZero() {
			r.t.Errorf("a released event waits until %v", head.due)
		}
	})
}

func TestStopEndsEvenIfTheStoreNeverSettles(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		s := &fakeSink{}
		r.fail(&r.failSettle, errDisk)
		r.accept("shop", "a")
		r.use(channel("shop", s))
		start := time.Now()
		if err := r.d.Stop(r.ended()); !errors.Is(err, context.Canceled) {
			r.t.Errorf("Stop: %v", err)
		}
		r.check("time taken", settleGrace, time.Since(start))
		r.check("held", 1, r.held("shop"))
		r.check("closed", 1, s.closings())
	})
}

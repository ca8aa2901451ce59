package delivery

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

// TestSinceWhenTheSinkFails: an event that is taken or refused shows that the sink is up, and an attempt that tells
// nothing of it changes nothing.
func TestSinceWhenTheSinkFails(t *testing.T) {
	failed, refused, unnamed := &sink.Failed{Class: "status", Reason: "HTTP 503"}, &sink.Refused{Reason: "HTTP 422"}, errors.New("dial tcp")
	// Of each attempt the answer, and the number of the one since which the sink fails, from 1 on; 0 while it does not.
	for name, steps := range map[string][]struct {
		err   error
		cut   bool
		since int
	}{
		"up and down":    {{err: nil}, {err: failed, since: 2}, {err: failed, since: 2}, {err: nil}, {err: failed, since: 5}},
		"refused":        {{err: refused}, {err: failed, since: 2}, {err: refused}, {err: refused}},
		"without a name": {{err: unnamed, since: 1}, {err: unnamed, since: 1}},
		"withheld":       {{err: sink.ErrWithheld}, {err: failed, since: 2}, {err: sink.ErrWithheld, since: 2}},
		"cut short":      {{err: unnamed, cut: true}, {err: failed, since: 2}, {err: unnamed, cut: true, since: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			p := &pump{sink: &outlet{}}
			for i, step := range steps {
				result, _ := describe(step.err)
				p.judge(attempt{ended: began.Add(time.Duration(i+1) * time.Second), err: step.err, cut: step.cut}, result, p.sink)
				want := time.Time{}
				if step.since > 0 {
					want = began.Add(time.Duration(step.since) * time.Second)
				}
				if got := p.status.FailingSince; !got.Equal(want) {
					t.Errorf("attempt %d: failing since %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

// TestAnotherSinkIsNotTheOneThatFailed: a reload with another sink starts over, and the old one's answers do not count
// any more.
func TestAnotherSinkIsNotTheOneThatFailed(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		old := &fakeSink{answer: func(ctx context.Context, e event.Event) error {
			elapse(time.Minute)
			return fail(ctx, e)
		}}
		r.use(channel("shop", old))
		r.accept("shop", "a")
		synctest.Wait()
		next := &fakeSink{answer: hang}
		r.use(channel("shop", next))
		pass(2 * time.Minute)
		r.check("failing since", time.Time{}, r.d.Status("shop").FailingSince)
	})
	inBubble(t, 8, func(r *rig) {
		old, next := &fakeSink{answer: fail}, &fakeSink{answer: hang}
		r.use(channel("shop", old))
		r.accept("shop", "a")
		synctest.Wait()
		if r.d.Status("shop").FailingSince.IsZero() {
			t.Error("the sink does not fail")
		}
		r.use(channel("shop", old, paused))
		status := r.d.Status("shop")
		if status.FailingSince.IsZero() || !status.Paused {
			t.Errorf("after a reload with the same sink: %+v", status)
		}
		r.use(channel("shop", next))
		r.check("failing since", time.Time{}, r.d.Status("shop").FailingSince)
	})
}

func TestStatusTellsTheLatestDeath(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		var answer atomic.Pointer[error]
		refused := error(&sink.Refused{Reason: "HTTP 422"})
		answer.Store(&refused)
		s := &fakeSink{answer: func(context.Context, event.Event) error { return *answer.Load() }}
		r.use(channel("shop", s, func(d *config.Delivery) { d.Retry = schedule(time.Second, time.Second, time.Minute) }))
		r.check("before any", Death{}, r.d.Status("shop").LatestDeath)
		start := time.Now()
		r.accept("shop", "a")
		synctest.Wait()
		r.check("refused", Death{Reason: "refused", Error: "sink refused the event: HTTP 422", At: start}, r.d.Status("shop").LatestDeath)
		failed := error(&sink.Failed{Class: "status", Reason: "HTTP 503"})
		answer.Store(&failed)
		r.accept("shop", "b")
		pass(time.Hour)
		got := r.d.Status("shop").LatestDeath
		r.check("expired", Death{Reason: "expired", Error: "sink failed: HTTP 503", At: got.At}, got)
		if !got.At.After(start) {
			t.Errorf("died at %v", got.At)
		}
		r.use()
		r.use(channel("shop", s))
		r.check("of the channel before", Death{}, r.d.Status("shop").LatestDeath)
	})
}

package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

func TestReloadSwapsASinkAfterItsAttempts(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		before := &fakeSink{answer: takesLong(time.Minute)}
		after, other := &fakeSink{}, &fakeSink{}
		r.use(channel("shop", before), channel("other", other))
		r.accept("shop", "a")
		r.accept("shop", "a")
		synctest.Wait()
		r.use(channel("shop", after), channel("other", other))
		r.accept("shop", "b")
		synctest.Wait()
		r.check("closed under an attempt", 0, before.closings())
		r.check("lane b at the new sink", 1, len(after.arrivals()))
		pass(time.Minute)
		r.check("closed after the attempt", 1, before.closings())
		r.check("at the old sink", 1, len(before.arrivals()))
		r.check("at the new sink", 2, len(after.arrivals()))
		r.check("closed unchanged", 0, other.closings())
		r.check("configured once each", []string{"shop", "other"}, r.configured)
		_ = r.d.Stop(r.t.Context())
		r.check("closed at the end", []int{1, 1, 1}, []int{before.closings(), after.closings(), other.closings()})
	})
}

func TestReloadRemovesAndBringsBack(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		s := &fakeSink{answer: takesLong(time.Minute)}
		r.use(channel("shop", s))
		r.accept("shop", "a")
		synctest.Wait()
		r.use()
		r.accept("shop", "b")
		pass(time.Second)
		r.check("attempts after the removal", 1, len(s.arrivals()))
		r.check("status", Status{}, r.d.Status("shop"))
		pass(time.Hour)
		r.check("closed", 1, s.closings())
		r.check("pending", 1, r.pending("shop"))
		again := &fakeSink{}
		r.use(channel("shop", again))
		r.check("pending after its return", 0, r.pending("shop"))
		r.check("configured again", []string{"shop", "shop"}, r.configured)
	})
}

func TestReloadWaitsForTheClaimOfARemovedChannel(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		r.claimGate = make(chan struct{})
		r.use(channel("shop", &fakeSink{}))
		var returned atomic.Bool
		go func() {
			if err := r.d.Use(r.t.Context(), nil); err != nil {
				r.t.Errorf("Use: %v", err)
			}
			returned.Store(true)
		}()
		synctest.Wait()
		r.check("returned during the claim", false, returned.Load())
		close(r.claimGate)
		synctest.Wait()
		r.check("returned after the claim", true, returned.Load())
	})
}

func TestReloadUnderTraffic(t *testing.T) {
	inBubble(t, 32, func(r *rig) {
		const lanes, perLane = 20, 50
		var mu sync.Mutex
		seen := make(map[string][]event.ID)
		sinks := make([]*fakeSink, 0, 40)
		newSink := func() *fakeSink {
			s := &fakeSink{answer: func(_ context.Context, e event.Event) error {
				elapse(3 * time.Millisecond)
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
		r.check("arrived once each, in order", want, seen)
		for i, s := range sinks[:len(sinks)-1] {
			r.check(fmt.Sprintf("closings of sink %d", i), 1, s.closings())
		}
	})
}

func TestRefusedReloadChangesNothing(t *testing.T) {
	inBubble(t, 8, func(r *rig) {
		old, opened := &fakeSink{}, &fakeSink{}
		r.use(channel("shop", old))
		bad := channel("bad", nil)
		errCA := errors.New("no certificate in the CA bundle")
		bad.Open = func() (sink.Sink, error) { return nil, errCA }
		if err := r.d.Use(r.t.Context(), []Channel{channel("shop", opened), bad}); !errors.Is(err, errCA) {
			r.t.Errorf("Use: %v, want %v", err, errCA)
		}
		r.check("newly opened is closed", 1, opened.closings())

		r.fail(&r.failConfigure, errDisk)
		unopened := &fakeSink{}
		if err := r.d.Use(r.t.Context(), []Channel{channel("shop", unopened, paused)}); !errors.Is(err, errDisk) {
			r.t.Errorf("Use: %v, want %v", err, errDisk)
		}
		r.check("newly opened is closed", 1, unopened.closings())
		r.fail(&r.failConfigure, nil)

		r.accept("shop", "a")
		synctest.Wait()
		r.check("at the old sink", 1, len(old.arrivals()))
		r.use(channel("shop", old))
		r.check("told again what the inbox may not know", []string{"shop", "shop"}, r.configured)
	})
}

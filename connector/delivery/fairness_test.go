package delivery

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
)

func TestConcurrencyOfAChannel(t *testing.T) {
	inBubble(t, 1000, func(r *rig) {
		s := &fakeSink{answer: takesLong(time.Second)}
		for i := range 20 {
			r.accept("shop", fmt.Sprint(i))
		}
		three := func(d *config.Delivery) { d.Concurrency = 3 }
		r.use(channel("shop", s, three))
		r.check("in flight", 3, s.inFlight())
		r.check("status", 3, r.d.Status("shop").InFlight)
		pass(time.Second)
		r.check("in flight after the first", 3, s.inFlight())
		r.use(channel("shop", s, func(d *config.Delivery) { d.Concurrency = 5 }))
		r.check("in flight, raised", 5, s.inFlight())
		pass(time.Minute)
		r.check("pending", 0, r.pending("shop"))
	})
}

func TestDeadSinksLeaveAChannelAtFullSpeed(t *testing.T) {
	inBubble(t, 1024, func(r *rig) {
		channels := make([]Channel, 0, 100)
		for i := range 10 {
			name := fmt.Sprintf("dead%d", i)
			for n := range 1000 {
				r.accept(name, fmt.Sprint(n))
			}
			channels = append(channels, channel(name, &fakeSink{answer: hang}))
		}
		r.use(channels...)
		s := &fakeSink{answer: takesLong(time.Millisecond)}
		start := time.Now()
		const events, atOnce = 6400, 64
		for n := range events {
			r.accept("live", fmt.Sprint(n))
		}
		r.use(append(channels, channel("live", s))...)
		pass(time.Hour)
		r.check("pending", 0, r.pending("live"))
		arrivals := s.arrivals()
		r.check("time of the last attempt", (events/atOnce-1)*time.Millisecond, arrivals[len(arrivals)-1].at.Sub(start))
	})
}

// Large events take the memory that the bodies may have, not the slots, and by the same rule: a channel leaves as much
// free as it holds.
func TestLargeEventsAreBoundedByTheirBytes(t *testing.T) {
	inBubble(t, 1024, func(r *rig) {
		r.bodySize = budget / 10
		sinks := map[string]*fakeSink{"shop": {answer: takesLong(time.Second)}, "tour": {answer: takesLong(time.Second)}}
		for name := range sinks {
			for i := range 30 {
				r.accept(name, fmt.Sprint(i))
			}
		}
		r.use(channel("shop", sinks["shop"]))
		r.check("in flight", 6, sinks["shop"].inFlight())
		r.use(channel("shop", sinks["shop"]), channel("tour", sinks["tour"]))
		r.check("in flight of the second", 3, sinks["tour"].inFlight())
		pass(time.Minute)
		r.check("pending", 0, r.pending("shop")+r.pending("tour"))
		r.check("bytes in the end", 0, r.d.slots.bytes)
	})
}

// Channels that would each fill the whole process, at sinks that answer only after a time-out, settle at equal shares
// and leave one share free.
func TestGreedyChannelsSettleAtEqualShares(t *testing.T) {
	inBubble(t, 110, func(r *rig) {
		sinks := make([]*fakeSink, 0, 10)
		channels := make([]Channel, 0, 100)
		for i := range 10 {
			name := fmt.Sprint(i)
			for n := range 2000 {
				r.accept(name, fmt.Sprint(n))
			}
			s := &fakeSink{answer: func(ctx context.Context, e event.Event) error {
				select {
				case <-ctx.Done(): // a sink that goes on in spite of it would outlive Stop
				case <-time.After(5*time.Second + time.Duration(e.ID[1])*50*time.Millisecond):
				}
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
				r.t.Errorf("channel %d holds %d slots, want about 110/11", i, got)
			}
		}
		if free := 110 - total; free < 8 {
			r.t.Errorf("%d slots are free, want about 110/11", free)
		}
	})
}

func TestOverallBoundHoldsAndHeldBackChannelsAreWoken(t *testing.T) {
	inBubble(t, 16, func(r *rig) {
		var busy, most atomic.Int64
		work := func(context.Context, event.Event) error {
			if n := busy.Add(1); n > most.Load() {
				most.Store(n)
			}
			elapse(10 * time.Millisecond)
			busy.Add(-1)
			return nil
		}
		channels := make([]Channel, 0, 100)
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
			r.check("pending of "+c.Name, 0, r.pending(c.Name))
		}
		if got := most.Load(); got > 16 || got < 8 {
			r.t.Errorf("at most %d attempts at once, want no more than 16 and no fewer than half", got)
		}
	})
}

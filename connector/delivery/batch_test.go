package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/sink/batchtest"
)

// batched is channel shop, whose sink takes batches.
func batched(s *batchtest.Sink, change ...func(*config.Delivery)) Channel {
	c := channel("shop", nil, change...)
	c.SinkDigest, c.Open = fmt.Sprintf("%p", s), func() (sink.Sink, error) { return s, nil }
	return c
}

// takenOf are the ids that a channel's sink took, in the order of their acceptance.
func (r *rig) takenOf(name string) []event.ID {
	ids := r.taken(name)
	slices.SortFunc(ids, func(a, b event.ID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// conversations are those of each batch.
func conversations(s *batchtest.Sink) (batches [][]string) {
	for _, events := range s.Batches() {
		var batch []string
		for _, e := range events {
			batch = append(batch, e.Conversation)
		}
		batches = append(batches, batch)
	}
	return batches
}

func failed(reason string) error { return &sink.Failed{Class: "status", Reason: reason} }

// TestWhatIsReadyTogetherIsSentTogether, in batches of at most what the sink takes and the channel's concurrency
// allows, and never two events of one lane.
func TestWhatIsReadyTogetherIsSentTogether(t *testing.T) {
	for name, tt := range map[string]struct {
		most, concurrency int
		lanes             []string
		want              [][]string
	}{
		"one batch":              {8, 64, []string{"a", "a", "b", "c"}, [][]string{{"a", "b", "c"}, {"a"}}},
		"more than one":          {2, 64, []string{"a", "a", "b", "c"}, [][]string{{"a", "b"}, {"c"}, {"a"}}},
		"bound by the channel":   {8, 2, []string{"a", "b", "c", "d", "e"}, [][]string{{"a", "b"}, {"c", "d"}, {"e"}}},
		"one event in each Send": {1, 1, []string{"a", "b", "c"}, [][]string{{"a"}, {"b"}, {"c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64, func(r *rig) {
				s := &batchtest.Sink{Most: tt.most, Answer: func(_ context.Context, events []event.Event) []error {
					elapse(time.Second)
					return make([]error, len(events))
				}}
				for _, lane := range tt.lanes {
					r.accept("shop", lane)
				}
				r.use(batched(s, func(d *config.Delivery) { d.Concurrency = tt.concurrency }))
				if n := r.d.Status("shop").InFlight; n > tt.concurrency {
					t.Errorf("%d attempts under way", n)
				}
				pass(time.Minute)
				got := conversations(s)
				slices.SortFunc(got[:len(got)-1], slices.Compare) // those that begin at once have no order
				r.check("batches", tt.want, got)
				r.check("pending", 0, r.pending("shop"))
				r.check("in flight", 0.0, r.value(r.metrics.DeliveriesInFlight))
			})
		})
	}
}

// TestASinkThatErrs: a sink that breaks its contract costs attempts, and neither an event nor the process.
func TestASinkThatErrs(t *testing.T) {
	results := func(n int) func(context.Context, []event.Event) []error {
		return func(context.Context, []event.Event) []error { return make([]error, n) }
	}
	for name, first := range map[string]*batchtest.Sink{
		"no results":       {Most: 8, Answer: results(0)},
		"too few results":  {Most: 8, Answer: results(1)},
		"too many results": {Most: 8, Answer: results(3)},
		"no batch":         {Most: 0, Answer: results(0)},
		"a negative batch": {Most: -1, Answer: results(0)},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64, func(r *rig) {
				r.accept("shop", "a")
				r.accept("shop", "b")
				r.use(batched(first))
				r.check("pending", 2, r.pending("shop"))
				r.check("failed attempts", int64(2), r.metrics.Of("shop").Attempts.Of(resultUnknown))
				r.check("last error", "sink failed: it did not return one result for each event", r.d.Status("shop").LastError)
				r.use(batched(&batchtest.Sink{Most: 8}))
				pass(time.Minute)
				r.check("pending with a sink that keeps to its contract", 0, r.pending("shop"))
			})
		})
	}
}

func TestEachErrorOfABatchSettlesItsOwnEvent(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		first := map[string]error{
			"refused": &sink.Refused{Reason: "too long"}, "failed": failed("busy"),
			"asks": &sink.Failed{Class: "status", Reason: "busy", RetryAfter: time.Minute}, "unnamed": errors.New("dial tcp"),
		}
		var mu sync.Mutex
		s := &batchtest.Sink{Most: 8, Answer: func(_ context.Context, events []event.Event) []error {
			mu.Lock()
			defer mu.Unlock()
			errs := make([]error, len(events))
			for i, e := range events {
				errs[i] = first[e.Conversation]
				delete(first, e.Conversation)
			}
			return errs
		}}
		ids := map[string]event.ID{}
		for _, lane := range []string{"taken", "refused", "failed", "asks", "unnamed"} {
			ids[lane] = r.accept("shop", lane)
		}
		r.use(batched(s))
		r.check("taken", []event.ID{ids["taken"]}, r.taken("shop"))
		if dead := r.dead("shop"); len(dead) != 1 || dead[0].Event.ID != ids["refused"] || dead[0].Reason != "sink refused the event: too long" {
			t.Errorf("dead: %+v", dead)
		}
		r.check("held", 0, r.held("shop"))
		pass(time.Second)
		r.check("taken after a backoff", []event.ID{ids["taken"], ids["failed"], ids["unnamed"]}, r.takenOf("shop"))
		pass(time.Minute)
		r.check("taken after the pause asked for", []event.ID{ids["taken"], ids["failed"], ids["asks"], ids["unnamed"]}, r.takenOf("shop"))
		counts := map[string]int64{}
		for _, result := range []string{"taken", "refused", "status", "unknown"} {
			counts[result] = r.metrics.Of("shop").Attempts.Of(result)
		}
		r.check("counted", map[string]int64{"taken": 4, "refused": 1, "status": 2, "unknown": 1}, counts)
	})
}

// TestStopCutsABatchShort: what the sink took stays taken, the rest is released.
func TestStopCutsABatchShort(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		s := &batchtest.Sink{Most: 8, Answer: func(ctx context.Context, events []event.Event) []error {
			<-ctx.Done()
			errs := slices.Repeat([]error{failed("canceled")}, len(events))
			errs[1] = nil
			return errs
		}}
		var ids []event.ID
		for _, lane := range []string{"a", "b", "c"} {
			ids = append(ids, r.accept("shop", lane))
		}
		r.use(batched(s))
		if err := r.d.Stop(r.ended()); !errors.Is(err, context.Canceled) {
			t.Errorf("Stop: %v", err)
		}
		r.check("taken", ids[1:2], r.taken("shop"))
		r.check("pending", 2, r.pending("shop"))
		r.check("held", 0, r.held("shop"))
		r.check("failed attempts counted", 0, r.channel("shop").lanes["a"][0].Attempts)
		r.check("closed", 1, s.Closings())
	})
}

func TestStopWaitsForABatchUnderWay(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		s := &batchtest.Sink{Most: 8, Answer: func(_ context.Context, events []event.Event) []error {
			elapse(5 * time.Second)
			return make([]error, len(events))
		}}
		for _, lane := range []string{"a", "b", "a"} {
			r.accept("shop", lane)
		}
		r.use(batched(s))
		if err := r.d.Stop(r.t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		r.check("batches", [][]string{{"a", "b"}}, conversations(s))
		r.check("pending", 1, r.pending("shop"))
		r.check("closed", 1, s.Closings())
	})
}

// TestNoEventOfABatchIsLost while each attempt may fail, the channel is reloaded, and a store in trouble settles late:
// every lane arrives whole and in order.
func TestNoEventOfABatchIsLost(t *testing.T) {
	inBubble(t, 32, func(r *rig) {
		const lanes, perLane = 20, 30
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		got, want := make(map[string][]event.ID), make(map[string][]event.ID)
		newSink := func(most int) *batchtest.Sink {
			return &batchtest.Sink{Most: most, Answer: func(_ context.Context, events []event.Event) []error {
				elapse(3 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				errs := make([]error, len(events))
				for i, e := range events {
					if random.IntN(3) == 0 {
						errs[i] = failed("busy")
						continue
					}
					got[e.Conversation] = append(got[e.Conversation], e.ID)
				}
				return errs
			}}
		}
		for i := range perLane {
			for lane := range lanes {
				name := fmt.Sprint(lane)
				want[name] = append(want[name], r.accept("shop", name))
			}
			switch i % 3 {
			case 0:
				r.use(batched(newSink(1 + i)))
			case 1:
				r.fail(&r.failSettle, errDisk)
				pass(time.Second)
				r.fail(&r.failSettle, nil)
			default:
				r.use()
			}
			pass(2 * time.Millisecond)
		}
		r.use(batched(newSink(7)))
		pass(time.Hour)
		synctest.Wait()
		r.check("arrived once each, in order", want, got)
		r.check("pending", 0, r.pending("shop"))
	})
}

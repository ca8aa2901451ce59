package pebble_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
)

const workChannel = "chat/shop"

// fate is what was done with one event. A flag whose name begins with "may" is set before the call, the others after it
// has returned.
type fate struct {
	event event.Event
	// n is the event's place among those accepted into its lane, zero where they had no order.
	n int

	stored, claimed       bool
	mayBeTaken, taken     bool
	mayBeDead, dead       bool
	mayBeRedriven, driven bool
	// mayRetries and retries count; at is when the last retry is due.
	mayRetries, retries int
	at                  time.Time
}

// ledger is what a workload did with each event.
type ledger map[event.ID]fate

// workload uses a store at random, as the connector does: calls come in together, one goroutine claims, results come in
// together.
type workload struct {
	clock *inboxtest.Clock
	// checkpointed, if set, waits until the store has made a checkpoint.
	checkpointed func()
	// faulty: the storage fails, so calls may.
	faulty bool

	mu     sync.Mutex
	random *rand.Rand
	ledger ledger
	counts map[string]int
	// settled says of each lane how far it was settled.
	settled map[string]int
	// over: the process would have ended, and what goes on counts no longer.
	over bool
}

func newWorkload(seed uint64, clock *inboxtest.Clock) *workload {
	return &workload{
		clock: clock, random: rand.New(rand.NewPCG(seed, 0)),
		ledger: make(ledger), counts: make(map[string]int), settled: make(map[string]int),
	}
}

func (w *workload) errorf(t *testing.T, format string, args ...any) {
	if !w.faulty {
		t.Helper()
		t.Errorf(format, args...)
	}
}

func (w *workload) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

func (w *workload) snapshot() ledger {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.ledger)
}

// note changes what is known of an event.
func (w *workload) note(id event.ID, change func(*fate)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.ledger[id]
	change(&f)
	w.ledger[id] = f
}

func (w *workload) roll(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

// next makes the next event of a lane. Some are large, so that memtables fill and the store flushes them.
func (w *workload) next(lane string) event.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[lane]++
	e := inboxtest.Event(workChannel, lane, w.counts[lane])
	if w.random.IntN(10) == 0 {
		e.Body = append(e.Body, strings.Repeat(" ", 48<<10)...)
	}
	w.ledger[e.ID] = fate{event: e, n: w.counts[lane]}
	return e
}

// run uses a store for a while, with restarts. It returns the error of an Open or Close.
func (w *workload) run(t *testing.T, o pebble.Options) error {
	rounds := func(s *pebble.Inbox) {
		for range 3 {
			w.round(t, s)
		}
		w.redrive(t, s)
	}
	settle := func(s *pebble.Inbox) {
		var calls sync.WaitGroup
		w.deliver(t, s, &calls, false)
		calls.Wait()
	}
	for _, use := range []func(*pebble.Inbox){
		func(s *pebble.Inbox) { w.hold(t, s); rounds(s) },
		func(s *pebble.Inbox) { rounds(s); w.crowd(t, s); settle(s) },
		settle,
	} {
		s, err := pebble.Open(o)
		if err != nil {
			return err
		}
		use(s)
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// hold claims the first event of some lanes and settles it after a checkpoint.
func (w *workload) hold(t *testing.T, s *pebble.Inbox) {
	if w.checkpointed == nil {
		return
	}
	for lane := range 3 {
		w.accept(t, s, w.next(fmt.Sprintf("lane-%d", lane)))
	}
	var calls sync.WaitGroup
	w.deliver(t, s, &calls, true)
	calls.Wait()
}

// round accepts, claims and settles side by side.
func (w *workload) round(t *testing.T, s *pebble.Inbox) {
	var calls sync.WaitGroup
	for lane := range 6 {
		calls.Go(func() {
			for range 1 + w.roll(2) {
				w.accept(t, s, w.next(fmt.Sprintf("lane-%d", lane)))
			}
		})
	}
	w.deliver(t, s, &calls, false)
	calls.Wait()
	w.clock.Advance(time.Second)
	w.deliver(t, s, &calls, false)
	calls.Wait()
}

// crowd fills a lane with more than the store keeps in memory behind a claimed event. Its events come in together, so
// in any order.
func (w *workload) crowd(t *testing.T, s *pebble.Inbox) {
	var calls sync.WaitGroup
	for range 70 {
		e := w.next("crowd")
		w.note(e.ID, func(f *fate) { f.n = 0 })
		calls.Go(func() { w.accept(t, s, e) })
	}
	calls.Wait()
}

func (w *workload) accept(t *testing.T, s *pebble.Inbox, e event.Event) {
	outcome, err := acceptOne(t.Context(), s, e)
	if err != nil || outcome != inbox.Stored {
		w.errorf(t, "accept: outcome %v, error %v", outcome, err)
		return
	}
	w.note(e.ID, func(f *fate) { f.stored = true })
}

// deliver claims and lets calls settle, if hold is set after a checkpoint.
func (w *workload) deliver(t *testing.T, s *pebble.Inbox, calls *sync.WaitGroup, hold bool) {
	claims, _, err := s.Consumer(workChannel).Claim(context.Background(), 16)
	if err != nil {
		w.errorf(t, "claim: %v", err)
	}
	for _, c := range claims {
		w.checkOrder(t, c)
		w.note(c.Event.ID, func(f *fate) { f.claimed = true })
	}
	if hold {
		w.checkpointed()
	}
	for _, c := range claims {
		calls.Go(func() { w.settle(t, s, c) })
	}
}

// checkOrder fails the test when an earlier event of the claim's lane is neither taken nor dead.
func (w *workload) checkOrder(t *testing.T, c inbox.Claim) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.ledger[c.Event.ID]
	if f.mayBeRedriven || w.over {
		return
	}
	if f.n > w.settled[c.Lane]+1 {
		t.Errorf("event %d of %s was claimed when %d were settled", f.n, c.Lane, w.settled[c.Lane])
	}
}

func (w *workload) settle(t *testing.T, s *pebble.Inbox, c inbox.Claim) {
	verdict, may, did := w.verdict(c)
	w.note(c.Event.ID, may)
	if err := settle(t.Context(), s, c, verdict); err != nil {
		w.errorf(t, "settle: %v", err)
		return
	}
	w.note(c.Event.ID, func(f *fate) {
		did(f)
		if f.taken || f.dead {
			w.settled[c.Lane] = max(w.settled[c.Lane], f.n)
		}
	})
}

// verdict chooses what becomes of a claim, and says how to note it before and after. An event dies once at most, so
// that a ledger stays plain.
func (w *workload) verdict(c inbox.Claim) (v inbox.Verdict, may, did func(*fate)) {
	w.mu.Lock()
	roll, f := w.random.IntN(10), w.ledger[c.Event.ID]
	w.mu.Unlock()
	switch {
	case roll == 0:
		return inbox.Released{}, func(*fate) {}, func(*fate) {}
	case roll < 3 && !f.mayBeDead:
		return inbox.Dead{Reason: "HTTP 422"}, func(f *fate) { f.mayBeDead = true }, func(f *fate) { f.dead = true }
	case roll < 6:
		after := time.Duration(w.roll(4)) * time.Second
		at := w.clock.Now().Add(after)
		return inbox.Retry{After: after}, func(f *fate) { f.mayRetries++ }, func(f *fate) { f.retries++; f.at = at }
	default:
		return inbox.Taken{}, func(f *fate) { f.mayBeTaken = true }, func(f *fate) { f.taken = true }
	}
}

// redrive redrives some of the dead letters.
func (w *workload) redrive(t *testing.T, s *pebble.Inbox) {
	for letter, err := range s.DeadLetters(workChannel) {
		if err != nil {
			w.errorf(t, "dead letters: %v", err)
			return
		}
		if w.roll(2) == 0 {
			continue
		}
		id := letter.Event.ID
		w.note(id, func(f *fate) { f.mayBeRedriven = true })
		if n, err := s.Redrive(t.Context(), workChannel, id); n != 1 && !errors.Is(err, inbox.ErrNotFound) {
			w.errorf(t, "redrive: %d, %v", n, err)
			return
		}
		w.note(id, func(f *fate) { f.driven = true })
	}
}

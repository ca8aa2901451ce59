package pebble_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
)

// aftermath is what a store holds after a power cut.
type aftermath struct {
	*testing.T
	cut   *powerCut
	store *pebble.Inbox
	clock *inboxtest.Clock

	pending map[event.ID]inbox.Claim
	dead    map[event.ID]bool
	lanes   map[string]inbox.Claim
}

func (c *powerCut) check(t *testing.T) {
	clock := clockAt(c.now)
	if len(c.at)%2 == 1 { // a machine without a battery for its clock
		clock.Set(time.Unix(0, 0))
	}
	o := options(t, clock, c.fs)
	o.Log = logr.Discard()
	if c.fatal != nil {
		o.Fatal = c.fatal
	}
	store, err := pebble.Open(o)
	if err != nil {
		t.Errorf("%s: %v", c.at, err)
		return
	}
	a := &aftermath{
		T: t, cut: c, store: store, clock: clock,
		pending: make(map[event.ID]inbox.Claim), dead: make(map[event.ID]bool), lanes: make(map[string]inbox.Claim),
	}
	stats, err := store.Stats(context.Background(), workChannel)
	if err != nil {
		a.errorf("stats: %v", err)
	}
	a.readDead()
	a.sendAgain()
	a.drain()
	if stats.Pending != int64(len(a.pending)) || stats.DeadLetters != int64(len(a.dead)) {
		a.errorf("%d pending and %d dead letters were counted, there are %d and %d",
			stats.Pending, stats.DeadLetters, len(a.pending), len(a.dead))
	}
	for id, before := range c.before {
		a.compare(id, before, c.after[id])
	}
	if err := store.Close(); err != nil {
		a.errorf("close: %v", err)
	}
}

// clockAt is a machine's clock after a restart that took no time.
func clockAt(now time.Time) *inboxtest.Clock {
	clock := inboxtest.NewClock()
	clock.Set(now)
	return clock
}

func (a *aftermath) errorf(format string, args ...any) {
	a.Helper()
	a.Errorf("%s: %s", a.cut.at, fmt.Sprintf(format, args...))
}

func (a *aftermath) readDead() {
	for letter, err := range a.store.DeadLetters(workChannel) {
		if err != nil {
			a.errorf("dead letters: %v", err)
			return
		}
		if a.dead[letter.Event.ID] {
			a.errorf("%s is a dead letter twice", letter.Event.Body)
		}
		a.dead[letter.Event.ID] = true
	}
}

// sendAgain sends what was stored once more: it is recognised.
func (a *aftermath) sendAgain() {
	var calls sync.WaitGroup
	for _, before := range a.cut.before {
		if !before.stored {
			continue
		}
		calls.Go(func() {
			outcome, err := acceptOne(a.Context(), a.store, before.event)
			if err != nil || outcome != inbox.Duplicate {
				a.errorf("event %d of %s again: outcome %v, error %v", before.n, before.event.Conversation, outcome, err)
			}
		})
	}
	calls.Wait()
}

// drain takes everything, first what is due now, then the rest.
func (a *aftermath) drain() {
	for range 2 {
		for {
			claims, _, err := a.store.Consumer(workChannel).Claim(context.Background(), 100)
			if err != nil {
				a.errorf("claim: %v", err)
				return
			}
			if len(claims) == 0 && !a.more() {
				break
			}
			a.take(claims)
		}
		a.clock.Advance(time.Hour)
	}
}

// more reports whether the store announced that there is more to claim.
func (a *aftermath) more() bool {
	select {
	case <-a.store.Consumer(workChannel).Ready():
		return true
	default:
		return false
	}
}

func (a *aftermath) take(claims []inbox.Claim) {
	var calls sync.WaitGroup
	for _, c := range claims {
		a.checkClaim(c)
		a.pending[c.Event.ID], a.lanes[c.Lane] = c, c
		calls.Go(func() {
			// A store that was ended never answers, nor is it waited for.
			if err := settle(context.WithoutCancel(a.Context()), a.store, c, inbox.Taken{}); err != nil {
				a.errorf("settle: %v", err)
			}
		})
	}
	calls.Wait()
}

func (a *aftermath) checkClaim(c inbox.Claim) {
	id := c.Event.ID
	if _, again := a.pending[id]; again {
		a.errorf("%s was claimed again after it was taken", id)
	}
	before, after := a.cut.before[id], a.cut.after[id]
	last, lane := a.lanes[c.Lane]
	switch {
	case lane && last.Sequence > c.Sequence:
		a.errorf("sequence %d of %s was claimed after %d", c.Sequence, c.Lane, last.Sequence)
	case lane && !after.mayBeRedriven && after.n < a.cut.after[last.Event.ID].n && !a.cut.after[last.Event.ID].mayBeRedriven:
		a.errorf("event %d of %s was claimed after a later one", after.n, c.Lane)
	}
	if after.mayBeRedriven {
		return // its attempts are counted from zero again
	}
	if c.Attempts < before.retries || c.Attempts > after.mayRetries {
		a.errorf("event %d of %s has %d failed attempts, want %d to %d",
			after.n, c.Lane, c.Attempts, before.retries, after.mayRetries)
	}
	if before.mayRetries == before.retries && after.mayRetries == before.retries && a.cut.now.Add(a.clock.Elapsed()).Before(before.at) {
		a.errorf("event %d of %s was claimed before its retry was due", after.n, c.Lane)
	}
}

// compare checks that the store holds an event as it was promised.
func (a *aftermath) compare(id event.ID, before, after fate) {
	_, pending := a.pending[id]
	dead := a.dead[id]
	fail := func(what string) {
		a.errorf("event %d of %s %s (pending %v, dead %v; before %+v, after %+v)",
			before.n, before.event.Conversation, what, pending, dead, before.flags(), after.flags())
	}
	switch {
	case pending && dead:
		fail("is both pending and a dead letter")
	case (before.stored || before.claimed) && !pending && !dead && !after.mayBeTaken:
		fail("is lost")
	case before.taken && (pending || dead):
		fail("is back after it was taken")
	case before.dead && !after.mayBeRedriven && !dead:
		fail("is no dead letter any more")
	case dead && (!after.mayBeDead || before.driven):
		fail("is a dead letter")
	}
}

// flags is a fate without the event.
func (f fate) flags() fate {
	f.event = event.Event{}
	return f
}

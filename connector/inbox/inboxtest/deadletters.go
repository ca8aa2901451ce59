package inboxtest

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

func (b *bench) dead() []inbox.DeadLetter {
	b.Helper()
	var all []inbox.DeadLetter
	for letter, err := range b.inbox.DeadLetters(channelName) {
		if err != nil {
			b.Fatalf("dead letters: %v", err)
		}
		all = append(all, letter)
	}
	return all
}

// bury makes dead letters of the next claims.
func (b *bench) bury(n int) {
	b.Helper()
	for range n {
		b.settle(b.claimOne(), inbox.Dead{Reason: "HTTP 422"})
	}
}

func deadLetterGoesOn(b *bench) {
	accepted := b.clock.Now()
	b.acceptAll("an", 1, 3)
	b.settle(b.claimOne(), inbox.Retry{})
	b.clock.Advance(time.Minute)
	b.bury(1)
	b.takeInOrder("an", 2, 3)
	want := []inbox.DeadLetter{{
		Event: Event(channelName, "an", 1), Reason: "HTTP 422", Attempts: 2,
		AcceptedAt: accepted, DiedAt: b.clock.Now(),
	}}
	for range 2 {
		if diff := cmp.Diff(want, b.dead()); diff != "" {
			b.Errorf("dead letters (-want +got):\n%s", diff)
		}
		b.reopen()
	}
	if got := b.accept(Event(channelName, "an", 1)); got != inbox.Duplicate {
		b.Errorf("a dead letter's id: outcome %v, want duplicate", got)
	}
}

func redrive(b *bench) {
	b.acceptAll("an", 1, 3)
	b.bury(1)
	b.clock.Advance(time.Hour)
	id := Event(channelName, "an", 1).ID
	if n, err := b.inbox.Redrive(b.Context(), channelName, id); n != 1 || err != nil {
		b.Fatalf("redrive: %d, %v", n, err)
	}
	b.takeInOrder("an", 2, 3)
	claim := b.claimOne()
	if claim.Event.ID != id || claim.Attempts != 0 || claim.Age != 0 {
		b.Errorf("redriven %s after %d attempts, age %v; want event 1, fresh", claim.Event.Body, claim.Attempts, claim.Age)
	}
	if _, err := b.inbox.Redrive(b.Context(), channelName, id); !errors.Is(err, inbox.ErrNotFound) {
		b.Errorf("redrive again: %v, want ErrNotFound", err)
	}
	if got := b.stats(); got.DeadLetters != 0 || got.Pending != 1 {
		b.Errorf("stats %+v, want 1 pending", got)
	}
}

func drop(b *bench) {
	b.acceptAll("an", 1, 3)
	b.bury(3)
	id := Event(channelName, "an", 2).ID
	if n, err := b.inbox.Drop(b.Context(), channelName, id); n != 1 || err != nil {
		b.Fatalf("drop: %d, %v", n, err)
	}
	if got := len(b.dead()); got != 2 {
		b.Errorf("%d dead letters, want 2", got)
	}
	if _, err := b.inbox.Drop(b.Context(), channelName, id); !errors.Is(err, inbox.ErrNotFound) {
		b.Errorf("drop again: %v, want ErrNotFound", err)
	}
}

func manyDead(b *bench) {
	const many = 600
	b.acceptAll("an", 1, many)
	b.bury(many)
	if n, err := b.inbox.Redrive(b.Context(), channelName); n != many || err != nil {
		b.Fatalf("redrive all: %d, %v", n, err)
	}
	b.reopen()
	b.takeInOrder("an", 1, many/2)
	b.bury(many / 2)
	if n, err := b.inbox.Drop(b.Context(), channelName); n != many/2 || err != nil {
		b.Fatalf("drop all: %d, %v", n, err)
	}
	if got := b.stats(); got != (inbox.Stats{}) {
		b.Errorf("stats %+v, want none", got)
	}
}

// dyingAgain has redriven events die while further ones are still being redriven.
func dyingAgain(b *bench) {
	const many = 1500
	b.acceptAll("an", 1, many)
	b.bury(many)
	ctx, stop := context.WithTimeout(b.Context(), time.Minute)
	redriven := make(chan int)
	go func() {
		n, err := b.inbox.Redrive(ctx, channelName)
		if err != nil {
			b.Errorf("redrive all: %v", err)
		}
		stop()
		redriven <- n
	}()
	for ctx.Err() == nil {
		for _, c := range b.claim(1) {
			b.settle(c, inbox.Dead{Reason: "HTTP 422"})
		}
	}
	if n := <-redriven; n != many {
		b.Errorf("%d were redriven of the %d that there were", n, many)
	}
}

// deadTwice has an event die, come in again after the window, and die again.
func deadTwice(b *bench) {
	for range 2 {
		b.acceptAll("an", 1, 1)
		b.bury(1)
		b.clock.Advance(Window)
	}
	for left := 1; left >= 0; left-- {
		if n, err := b.inbox.Drop(b.Context(), channelName, Event(channelName, "an", 1).ID); n != 1 || err != nil {
			b.Errorf("drop: %d, %v", n, err)
		}
		if got := len(b.dead()); got != left {
			b.Errorf("%d dead letters, want %d", got, left)
		}
	}
}

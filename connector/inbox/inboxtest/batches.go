package inboxtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

func batch(b *bench) {
	known, first, second := Event(channelName, "an", 1), Event(channelName, "an", 2), Event(channelName, "binh", 1)
	b.accept(known)
	got := b.acceptBatch(first, known, second, first)
	want := []inbox.Outcome{inbox.Stored, inbox.Duplicate, inbox.Stored, inbox.Duplicate}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("outcomes (-want +got):\n%s", diff)
	}
	b.reopen()
	if got := b.stats().Pending; got != 3 {
		b.Errorf("pending %d, want 3", got)
	}
	b.takeInOrder("an", 1, 1)
	claims := b.claim(10)
	if len(claims) != 2 {
		b.Fatalf("claimed %d, want the heads of two lanes", len(claims))
	}
	if outcomes, err := b.inbox.Accept(b.Context(), nil); len(outcomes) > 0 || err != nil {
		b.Errorf("an empty batch: %v, %v", outcomes, err)
	}
}

func mixedBatch(b *bench) {
	events := []event.Event{Event(channelName, "an", 1), Event("chat/other", "an", 1)}
	if outcomes, err := b.inbox.Accept(b.Context(), events); err == nil {
		b.Errorf("outcomes %v, want an error", outcomes)
	}
	if got := b.accept(events[0]); got != inbox.Stored {
		b.Errorf("outcome %v after the refusal, want stored", got)
	}
}

// concurrentBatches: what is a duplicate in one batch was stored by another.
func concurrentBatches(b *bench) {
	const events, callers = 40, 8
	var all []event.Event
	for n := range events {
		all = append(all, Event(channelName, fmt.Sprint(n%4), n))
	}
	var stored atomic.Int64
	var calls sync.WaitGroup
	for caller := range callers {
		calls.Go(func() {
			turned := slices.Concat(all[caller:], all[:caller])
			outcomes, err := b.inbox.Accept(b.Context(), turned)
			if err != nil {
				b.Errorf("accept: %v", err)
			}
			for _, outcome := range outcomes {
				if outcome == inbox.Stored {
					stored.Add(1)
				}
			}
		})
	}
	calls.Wait()
	if stored.Load() != events || b.stats().Pending != events {
		b.Errorf("%d outcomes say stored, %d are pending, want %d", stored.Load(), b.stats().Pending, events)
	}
}

// orderings: a change applies to events that are accepted from then on, and not to what is stored, in whatever way it
// comes back.
func orderings(b *bench) {
	b.configure(inbox.Settings{Ordering: inbox.Unordered})
	b.acceptAll("an", 1, 3)
	apart := b.claim(10)
	if len(apart) != 3 || apart[0].Lane == apart[1].Lane {
		b.Fatalf("claimed %d events of an unordered channel, want 3 in lanes of their own", len(apart))
	}
	for _, c := range apart {
		b.settle(c, inbox.Dead{Reason: "HTTP 422"})
	}
	b.configure(inbox.Settings{})
	b.acceptAll("an", 4, 5)
	b.reopen()
	if n, err := b.inbox.Redrive(b.Context(), channelName); n != 3 || err != nil {
		b.Fatalf("redrive: %d, %v", n, err)
	}
	claims := b.claim(10)
	if len(claims) != 4 || claims[0].Lane != "an" || claims[0].Event.ID != Event(channelName, "an", 4).ID {
		b.Fatalf("claimed %d events, want the conversation's head and the three redriven", len(claims))
	}
}

func consumers(b *bench) {
	b.acceptAll("an", 1, 2)
	b.acceptAll("binh", 1, 1)
	if _, err := b.inbox.Consume(b.Context(), channelName, b.settings); err == nil {
		b.Fatal("a channel has two consumers")
	}
	held, before := b.claimOne(), b.consumer
	if err := before.Close(); err != nil {
		b.Fatal(err)
	}
	if _, _, err := before.Claim(b.Context(), 1); !errors.Is(err, inbox.ErrClosed) {
		b.Errorf("claim after the end: %v, want ErrClosed", err)
	}
	b.consumer = b.consume()
	b.takeInOrder("binh", 1, 1)
	b.nothingClaimable()
	if err := before.Settle(b.Context(), held, inbox.Taken{}); err != nil {
		b.Fatalf("settle after the end: %v", err)
	}
	b.takeInOrder("an", 2, 2)
}

func renewed(b *bench) {
	b.acceptAll("an", 1, 2)
	claim := b.claimOne()
	if err := b.consumer.Renew(b.Context(), &claim); err != nil {
		b.Errorf("renew: %v", err)
	}
	b.nothingClaimable()
	b.settle(claim, inbox.Taken{})
	if err := b.consumer.Renew(b.Context(), &claim); !errors.Is(err, inbox.ErrLost) {
		b.Errorf("renew after the end: %v, want ErrLost", err)
	}
	b.takeInOrder("an", 2, 2)
}

func questions(b *bench) {
	const typo = "chat/shpo"
	if got, err := b.inbox.Stats(b.Context(), typo); got.Pending != 0 || got.DeadLetters != 0 || err != nil {
		b.Errorf("stats %+v, %v", got, err)
	}
	for letter, err := range b.inbox.DeadLetters(typo) {
		b.Errorf("dead letter %+v, %v", letter, err)
	}
	for _, act := range []func(id ...event.ID) (int, error){
		func(id ...event.ID) (int, error) { return b.inbox.Redrive(b.Context(), typo, id...) },
		func(id ...event.ID) (int, error) { return b.inbox.Drop(b.Context(), typo, id...) },
	} {
		if n, err := act(event.ID{1}); n != 0 || !errors.Is(err, inbox.ErrNotFound) {
			b.Errorf("%d, %v; want ErrNotFound", n, err)
		}
		if n, err := act(); n != 0 || err != nil {
			b.Errorf("%d, %v; want none", n, err)
		}
	}
	if diff := cmp.Diff([]string{channelName}, b.inbox.Channels()); diff != "" {
		b.Errorf("channels (-want +got):\n%s", diff)
	}
}

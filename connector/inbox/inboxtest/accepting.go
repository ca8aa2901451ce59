package inboxtest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

func claimedWhole(b *bench) {
	e := Event(channelName, "an", 1)
	b.accept(e)
	b.clock.Advance(time.Minute)
	got := b.claimOne()
	want := inbox.Claim{
		Event: e, Age: time.Minute, Lane: "an", Sequence: got.Sequence,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("claim (-want +got):\n%s", diff)
	}
}

func takenIsGone(b *bench) {
	b.acceptAll("an", 1, 1)
	b.settle(b.claimOne(), inbox.Taken{})
	b.nothingClaimable()
	b.reopen()
	b.nothingClaimable()
	if got := b.stats(); got != (inbox.Stats{}) {
		b.Errorf("stats %+v, want none", got)
	}
}

func duplicates(b *bench) {
	e := Event(channelName, "an", 1)
	b.accept(e)
	for _, step := range []func(){
		func() {},
		func() { b.settle(b.claimOne(), inbox.Taken{}) },
		b.reopen,
		func() { b.clock.Advance(Window - time.Second) },
		b.reopen,
	} {
		step()
		if got := b.accept(e); got != inbox.Duplicate {
			b.Fatalf("outcome %v, want duplicate", got)
		}
	}
	other := e
	other.Channel = "chat/other"
	if got := b.accept(other); got != inbox.Stored {
		b.Errorf("other channel: outcome %v, want stored", got)
	}
	b.clock.Advance(time.Second)
	if got := b.accept(e); got != inbox.Stored {
		b.Errorf("after the window: outcome %v, want stored", got)
	}
}

func concurrentDuplicates(b *bench) {
	const events, copies = 50, 8
	var stored atomic.Int64
	var calls sync.WaitGroup
	for n := range events {
		for range copies {
			calls.Go(func() {
				outcomes, err := b.inbox.Accept(b.Context(), []event.Event{Event(channelName, "an", n)})
				if err != nil {
					b.Errorf("accept: %v", err)
				} else if outcomes[0] == inbox.Stored {
					stored.Add(1)
				}
			})
		}
	}
	calls.Wait()
	if got := stored.Load(); got != events {
		b.Errorf("stored %d, want %d", got, events)
	}
	if got := b.stats().Pending; got != events {
		b.Errorf("pending %d, want %d", got, events)
	}
}

func stats(b *bench) {
	b.acceptAll("an", 1, 2)
	b.clock.Advance(time.Minute)
	b.acceptAll("binh", 1, 1)
	want := inbox.Stats{Pending: 3, OldestPendingAge: time.Minute}
	check := func() {
		b.Helper()
		if got := b.stats(); got != want {
			b.Errorf("stats %+v, want %+v", got, want)
		}
	}
	check()
	b.settle(b.claimOne(), inbox.Dead{Reason: "HTTP 422"})
	want.Pending, want.DeadLetters = 2, 1
	check()
	b.reopen()
	check()
	if used, limit := inbox.Usage(b.inbox); (used > 0 && limit > 0) != b.store.Size {
		b.Errorf("usage %d of %d", used, limit)
	}
	if err := b.inbox.Room(); err != nil {
		b.Errorf("room: %v", err)
	}
	if diff := cmp.Diff([]string{channelName}, b.inbox.Channels()); diff != "" {
		b.Errorf("channels (-want +got):\n%s", diff)
	}
}

// oldestIsPending asks for statistics while events come and go.
func oldestIsPending(b *bench) {
	gone, asking := make(chan struct{}), sync.WaitGroup{}
	asking.Go(func() {
		for {
			got, err := b.inbox.Stats(b.Context(), channelName)
			if err != nil || got.Pending == 0 && got.OldestPendingAge > 0 {
				b.Errorf("stats %+v, %v: an age without an event", got, err)
				return
			}
			select {
			case <-gone:
				return
			default:
			}
		}
	})
	for n := range 300 {
		b.acceptAll("an", n, n)
		b.clock.Advance(time.Second)
		b.settle(b.claimOne(), inbox.Taken{})
	}
	close(gone)
	asking.Wait()
}

func closed(b *bench) {
	b.acceptAll("an", 1, 1)
	claim := b.claimOne()
	if err := b.inbox.Close(); err != nil {
		b.Fatal(err)
	}
	if _, err := b.inbox.Accept(b.Context(), []event.Event{Event(channelName, "an", 2)}); !errors.Is(err, inbox.ErrClosed) {
		b.Errorf("accept: %v, want ErrClosed", err)
	}
	if err := b.consumer.Settle(b.Context(), claim, inbox.Taken{}); !errors.Is(err, inbox.ErrClosed) {
		b.Errorf("settle: %v, want ErrClosed", err)
	}
	if _, _, err := b.consumer.Claim(b.Context(), 1); !errors.Is(err, inbox.ErrClosed) {
		b.Errorf("claim: %v, want ErrClosed", err)
	}
	b.start()
	b.takeInOrder("an", 1, 1)
}

func channelsApart(b *bench) {
	b.accept(Event("chat/other", "an", 1))
	b.nothingClaimable()
	other, err := b.inbox.Consume(b.Context(), "chat/other", inbox.Settings{})
	if err != nil {
		b.Fatal(err)
	}
	claims, _, err := other.Claim(b.Context(), 1)
	if err != nil || len(claims) != 1 || claims[0].Event.Channel != "chat/other" {
		b.Errorf("claims %v, error %v", claims, err)
	}
}

package inboxtest

import (
	"errors"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// roomy is a bound far above what these tests store.
const roomy = 1 << 30

// setBound changes the bound, and waits until the store has room or lacks it.
func (b *bench) setBound(bytes int64, want error) {
	b.Helper()
	b.inbox.(inbox.Bounded).SetBound(bytes)
	if _, limit := inbox.Usage(b.inbox); limit != bytes {
		b.Errorf("a bound of %d, want %d", limit, bytes)
	}
	deadline := time.After(10 * time.Second)
	for tick := time.Tick(time.Millisecond); !errors.Is(b.inbox.Room(), want); {
		select {
		case <-tick:
		case <-deadline:
			b.Fatalf("with a bound of %d the room is %v, want %v", bytes, b.inbox.Room(), want)
		}
	}
}

// rebound: a full store drops nothing, knows what it holds and goes on settling. With a larger bound the refused call
// succeeds, without a restart.
func rebound(b *bench) {
	b.acceptAll("an", 1, 3)
	for range 2 {
		b.setBound(1, inbox.ErrFull)
		refused := Event(channelName, "an", 4)
		if _, err := b.inbox.Accept(b.Context(), []event.Event{refused}); !errors.Is(err, inbox.ErrFull) {
			b.Fatalf("at the bound: %v, want %v", err, inbox.ErrFull)
		}
		if got := b.accept(Event(channelName, "an", 1)); got != inbox.Duplicate {
			b.Errorf("a stored event again: %v, want a duplicate", got)
		}
		b.setBound(roomy, nil)
	}
	b.setBound(1, inbox.ErrFull)
	b.settle(b.claimOne(), inbox.Taken{})
	b.setBound(roomy, nil)
	b.acceptAll("an", 4, 4)
	for want := 2; want <= 4; want++ {
		c := b.claimOne()
		if c.Event.ID != Event(channelName, "an", want).ID {
			b.Errorf("event %d was lost, or is out of order", want)
		}
		b.settle(c, inbox.Taken{})
	}
}

// reboundInUse: every event is stored or refused as full, whenever the bound changes.
func reboundInUse(b *bench) {
	done := make(chan struct{})
	var changes, calls sync.WaitGroup
	changes.Go(func() {
		often := time.NewTicker(time.Millisecond)
		defer often.Stop()
		for n := int64(0); ; n++ {
			select {
			case <-done:
				return
			case <-often.C:
				b.inbox.(inbox.Bounded).SetBound(1 + n%2*roomy)
			}
		}
	})
	for n := range 32 {
		calls.Go(func() {
			_, err := b.inbox.Accept(b.Context(), []event.Event{Event(channelName, "an", n)})
			if err != nil && !errors.Is(err, inbox.ErrFull) {
				b.Errorf("event %d: %v", n, err)
			}
		})
	}
	calls.Wait()
	close(done)
	changes.Wait()
	b.setBound(roomy, nil)
	for n := range 32 {
		b.accept(Event(channelName, "an", n))
	}
	if got := b.stats().Pending; got != 32 {
		b.Errorf("pending %d, want 32", got)
	}
}

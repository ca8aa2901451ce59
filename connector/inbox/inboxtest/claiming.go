package inboxtest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

func laneOrder(b *bench) {
	b.acceptAll("an", 1, 5)
	first := b.claim(10)
	if len(first) != 1 {
		b.Fatalf("claimed %d events of one lane, want 1", len(first))
	}
	b.nothingClaimable()
	b.settle(first[0], inbox.Taken{})
	b.takeInOrder("an", 2, 3)
	b.reopen()
	b.takeInOrder("an", 4, 5)
}

func lanesApart(b *bench) {
	b.acceptAll("an", 1, 3)
	b.acceptAll("binh", 1, 3)
	held := b.claimOne()
	b.takeInOrder("binh", 1, 3)
	b.settle(held, inbox.Taken{})
	b.takeInOrder("an", 2, 3)
}

func retryHolds(b *bench) {
	b.acceptAll("an", 1, 3)
	b.acceptAll("binh", 1, 1)
	b.settle(b.claimOne(), inbox.Retry{After: time.Minute})
	b.takeInOrder("binh", 1, 1)
	b.acceptAll("an", 4, 4)
	if wait := b.idle(); wait != time.Minute {
		b.Fatalf("wait %v, want a minute", wait)
	}
	b.clock.Advance(time.Minute)
	again := b.claimOne()
	if again.Attempts != 1 {
		b.Errorf("attempts %d, want 1", again.Attempts)
	}
	b.nothingClaimable()
	b.settle(again, inbox.Taken{})
	b.takeInOrder("an", 2, 4)
	b.nothingClaimable()
}

func retryRestart(b *bench) {
	b.acceptAll("an", 1, 3)
	for range 3 {
		b.settle(b.claimOne(), inbox.Retry{After: time.Minute})
		b.nothingClaimable()
		b.reopen()
		b.nothingClaimable()
		b.clock.Advance(time.Minute)
	}
	claim := b.claimOne()
	if claim.Attempts != 3 || claim.Age != 3*time.Minute {
		b.Errorf("attempts %d, age %v; want 3, 3m", claim.Attempts, claim.Age)
	}
	b.settle(claim, inbox.Taken{})
	b.reopen()
	b.takeInOrder("an", 2, 3)
}

// restartBetween leaves an event unsettled before one that waits for a retry, so that after the restart both ways lead
// to the second.
func restartBetween(b *bench) {
	b.acceptAll("an", 1, 1)
	b.acceptAll("binh", 1, 2)
	unsettled := b.claimOne()
	b.settle(b.claimOne(), inbox.Retry{After: time.Minute})
	b.reopen()
	if again := b.claimOne(); again.Event.ID != unsettled.Event.ID {
		b.Fatalf("claimed %s, want the unsettled event", again.Event.Body)
	}
	b.clock.Advance(time.Minute)
	b.takeInOrder("binh", 1, 2)
	b.nothingClaimable()
	if got := b.stats().Pending; got != 1 {
		b.Errorf("pending %d, want 1", got)
	}
}

// announced settles a crowded lane's head while its further events are being read, and asks, whenever nothing is
// claimed, that the inbox says that more is to come.
func announced(b *bench) {
	const rounds, crowd = 30, 70
	for round := range rounds {
		b.clock.Advance(time.Millisecond) // else every round looks through what the others left
		b.acceptAll(fmt.Sprint("an", round), 1, crowd)
		for left := crowd; left > 0; {
			claims, wait, err := b.consumer.Claim(b.Context(), 1)
			if err != nil {
				b.Fatal(err)
			}
			if len(claims) == 0 && wait == inbox.Never {
				b.Fatalf("nothing to claim and nothing to come, with %d events pending", left)
			}
			for len(claims) > 0 {
				var settling sync.WaitGroup
				settling.Go(func() { b.settle(claims[0], inbox.Taken{}) })
				further := b.claim(2)
				settling.Wait()
				claims, left = append(claims[1:], further...), left-1
			}
		}
	}
	if wait := b.idle(); wait != inbox.Never {
		b.Errorf("wait %v, want none: everything was taken", wait)
	}
}

func crowdedLane(b *bench) {
	const crowd = 600
	b.acceptAll("an", 1, 1)
	held := b.claimOne()
	b.acceptAll("an", 2, crowd)
	b.acceptAll("binh", 1, 2)
	b.takeInOrder("binh", 1, 2)
	b.settle(held, inbox.Taken{})
	b.takeInOrder("an", 2, crowd/2)
	b.reopen()
	b.takeInOrder("an", crowd/2+1, crowd)
	b.nothingClaimable()
}

// largeEvents asks for more at once than anybody would want in memory, and for the rest only when the inbox says that
// there is more.
func largeEvents(b *bench) {
	const lanes, each, size = 20, 2, 600 << 10
	for lane := range lanes {
		for n := range each {
			e := Event(channelName, fmt.Sprint(lane), n)
			e.Body = append(e.Body, make([]byte, size)...)
			b.accept(e)
		}
	}
	for range each {
		var held []inbox.Claim
		for len(held) < lanes {
			claims, wait, err := b.consumer.Claim(b.Context(), lanes)
			if err != nil || len(claims) > lanes/2 {
				b.Fatalf("%d events of %d KiB at once, error %v", len(claims), size>>10, err)
			}
			if held = append(held, claims...); len(held) == lanes || wait < inbox.Never {
				continue
			}
			select {
			case <-b.consumer.Ready():
			case <-time.After(10 * time.Second):
				b.Fatalf("nothing to come, with %d of %d events claimed", len(held), lanes)
			}
		}
		for _, c := range held {
			b.settle(c, inbox.Taken{})
		}
	}
	b.nothingClaimable()
}

func released(b *bench) {
	b.acceptAll("an", 1, 2)
	b.settle(b.claimOne(), inbox.Released{})
	claim := b.claimOne()
	if claim.Attempts != 0 {
		b.Errorf("attempts %d, want 0", claim.Attempts)
	}
	b.settle(claim, inbox.Retry{})
	b.settle(b.claimOne(), inbox.Released{})
	claim = b.claimOne()
	if claim.Attempts != 1 {
		b.Errorf("attempts %d, want 1", claim.Attempts)
	}
	b.settle(claim, inbox.Released{})
	b.takeInOrder("an", 1, 2)
}

func pausedAge(b *bench) {
	b.acceptAll("an", 1, 1)
	pause := func(paused bool) {
		b.Helper()
		b.configure(inbox.Settings{Paused: paused})
	}
	b.clock.Advance(time.Minute)
	pause(true)
	b.clock.Advance(time.Hour)
	b.reopen()
	b.acceptAll("binh", 1, 1)
	b.clock.Advance(time.Hour)
	pause(false)
	b.clock.Advance(time.Minute)
	for _, want := range []inbox.Claim{
		{Age: 2*time.Hour + 2*time.Minute, Paused: 2 * time.Hour},
		{Age: time.Hour + time.Minute, Paused: time.Hour},
	} {
		if got := b.claimOne(); got.Age != want.Age || got.Paused != want.Paused {
			b.Errorf("age %v, paused %v; want %v, %v", got.Age, got.Paused, want.Age, want.Paused)
		}
	}
}

func settledOnce(b *bench) {
	b.acceptAll("an", 1, 2)
	claim := b.claimOne()
	b.settle(claim, inbox.Taken{})
	if err := b.consumer.Settle(b.Context(), claim, inbox.Taken{}); !errors.Is(err, inbox.ErrLost) {
		b.Errorf("a claim was settled twice: %v, want ErrLost", err)
	}
	b.takeInOrder("an", 2, 2)
}

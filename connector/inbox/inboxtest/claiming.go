package inboxtest

import (
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
	due := b.clock.Now().Add(time.Minute)
	b.settle(b.claimOne(), inbox.Retry{At: due})
	b.takeInOrder("binh", 1, 1)
	b.acceptAll("an", 4, 4)
	claims, next, err := b.inbox.Claim(channelName, 10)
	if err != nil || len(claims) != 0 || !next.Equal(due) {
		b.Fatalf("claims %v, next %v, error %v; want none, next %v", claims, next, err, due)
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
		b.settle(b.claimOne(), inbox.Retry{At: b.clock.Now().Add(time.Minute)})
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

func released(b *bench) {
	b.acceptAll("an", 1, 2)
	b.settle(b.claimOne(), inbox.Released{})
	claim := b.claimOne()
	if claim.Attempts != 0 {
		b.Errorf("attempts %d, want 0", claim.Attempts)
	}
	b.settle(claim, inbox.Retry{At: b.clock.Now()})
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
		if err := b.inbox.Configure(b.Context(), channelName, inbox.Settings{Paused: paused}); err != nil {
			b.Fatal(err)
		}
	}
	b.clock.Advance(time.Minute)
	pause(true)
	b.clock.Advance(time.Hour)
	b.reopen()
	b.acceptAll("binh", 1, 1)
	b.clock.Advance(time.Hour)
	pause(false)
	b.clock.Advance(time.Minute)
	for _, want := range []time.Duration{2 * time.Minute, time.Minute} {
		if got := b.claimOne().Age; got != want {
			b.Errorf("age %v, want %v", got, want)
		}
	}
}

func settledOnce(b *bench) {
	b.acceptAll("an", 1, 2)
	claim := b.claimOne()
	b.settle(claim, inbox.Taken{})
	if err := b.inbox.Settle(b.Context(), claim, inbox.Taken{}); err == nil {
		b.Error("a claim was settled twice")
	}
	b.takeInOrder("an", 2, 2)
}

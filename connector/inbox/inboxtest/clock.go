package inboxtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// perJump is the most that a jump of the machine's clock costs at a restart.
const perJump = 24 * time.Hour

// expirer is a store that ends what is over when asked to; without a call it does so by itself, in its own time.
type expirer interface {
	Expire(ctx context.Context) error
}

func (b *bench) expire() {
	b.Helper()
	store, ok := b.inbox.(expirer)
	if !ok {
		b.Fatal("the store has no method Expire(context.Context) error, which Capabilities.Clock demands")
	}
	if err := store.Expire(b.Context()); err != nil {
		b.Fatalf("expire: %v", err)
	}
}

func (b *bench) configure(s inbox.Settings) {
	b.Helper()
	b.settings = s
	if err := b.consumer.Configure(b.Context(), s); err != nil {
		b.Fatalf("configure: %v", err)
	}
}

// jump is something that happens to the machine's clock, while the store is open or while it is closed.
type jump struct {
	name    string
	to      func(now time.Time) time.Time
	restart bool
}

// latest is the last moment that people can be shown.
var latest = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// jumps are those of machines with a dead battery, a wrong time server, a restored snapshot, or a person who slips.
func jumps() []jump {
	var all []jump
	for name, to := range map[string]func(time.Time) time.Time{
		"back by a day":          func(now time.Time) time.Time { return now.AddDate(0, 0, -1) },
		"back to 1970":           func(time.Time) time.Time { return time.Unix(0, 0) },
		"back to before 1970":    func(time.Time) time.Time { return time.Unix(-1, 0) },
		"back to the year 1":     func(time.Time) time.Time { return time.Time{}.AddDate(0, 0, 1) },
		"ahead by an hour":       func(now time.Time) time.Time { return now.Add(time.Hour) },
		"ahead by ten years":     func(now time.Time) time.Time { return now.AddDate(10, 0, 0) },
		"ahead to the year 9999": func(time.Time) time.Time { return latest.AddDate(0, 0, -365) },
	} {
		all = append(all, jump{name + " while open", to, false}, jump{name + " over a restart", to, true})
	}
	slices.SortFunc(all, func(a, b jump) int { return strings.Compare(a.name, b.name) })
	return all
}

// happen makes the clock jump, and returns what a wait may lose by it.
func (j jump) happen(b *bench) (costs time.Duration) {
	b.Helper()
	from, to := b.clock.Now(), j.to(b.clock.Now())
	if !j.restart {
		b.clock.Set(to)
		return 0
	}
	if err := b.inbox.Close(); err != nil {
		b.Fatalf("close: %v", err)
	}
	b.clock.Set(to)
	b.clock.Restart()
	b.start()
	return min(max(to.Sub(from), 0), perJump)
}

// eachJump runs a test with a store of its own for each jump.
func eachJump(test func(b *bench, j jump)) func(*bench) {
	return func(b *bench) {
		for _, j := range jumps() {
			b.Run(j.name, func(t *testing.T) {
				own := newBench(t, b.store)
				test(own, j)
			})
		}
	}
}

// retryJumps: a lane that waits is claimed when its time has come.
func retryJumps(b *bench, j jump) {
	const after = 48 * time.Hour
	b.acceptAll("an", 1, 2)
	b.settle(b.claimOne(), inbox.Retry{After: after})
	b.clock.Advance(time.Hour)
	left := after - time.Hour - j.happen(b)
	if wait := b.idle(); wait != left {
		b.Fatalf("waits %v, want %v", wait, left)
	}
	b.clock.Advance(left - 1)
	b.nothingClaimable()
	b.reopen()
	b.nothingClaimable()
	b.clock.Advance(1)
	b.takeInOrder("an", 1, 2)
}

// windowJumps: an id is recognised for the window, and not for longer.
func windowJumps(b *bench, j jump) {
	b.acceptAll("an", 1, 1)
	b.settle(b.claimOne(), inbox.Taken{})
	b.clock.Advance(time.Hour)
	left := Window - time.Hour - j.happen(b)
	again := Event(channelName, "an", 1)
	if left > 0 {
		b.clock.Advance(left - 1)
		b.expire()
		if got := b.accept(again); got != inbox.Duplicate {
			b.Fatalf("outcome %v within the window, want duplicate", got)
		}
		b.clock.Advance(1)
	}
	b.expire()
	if got := b.accept(again); got != inbox.Stored {
		b.Errorf("outcome %v after the window, want stored", got)
	}
}

// retentionJumps: a dead letter is kept for its retention, and not for longer. A later one is younger by as much as
// before.
func retentionJumps(b *bench, j jump) {
	const retention = 7 * 24 * time.Hour
	b.configure(inbox.Settings{DeadLetterRetention: retention})
	b.acceptAll("an", 1, 2)
	b.bury(1)
	b.clock.Advance(time.Hour)
	costs := j.happen(b)
	b.bury(1)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{retention - time.Hour - costs, 2},
		{1, 1},
		{time.Hour + costs - 1, 1}, // the second is as old as its retention
		{1, 0},
	} {
		b.clock.Advance(step.after)
		b.expire()
		if got := len(b.dead()); got != step.want {
			b.Fatalf("%d dead letters are kept, want %d", got, step.want)
		}
	}
}

// ageJumps: an age grows with time alone, paused time too.
func ageJumps(b *bench, j jump) {
	b.acceptAll("an", 1, 1)
	b.clock.Advance(time.Minute)
	b.configure(inbox.Settings{Paused: true})
	b.clock.Advance(time.Hour)
	costs := j.happen(b)
	b.clock.Advance(time.Hour)
	b.configure(inbox.Settings{})
	b.clock.Advance(time.Minute)
	paused := 2*time.Hour + costs
	want := inbox.Stats{Pending: 1, OldestPendingAge: paused + 2*time.Minute}
	if got := b.stats(); got != want {
		b.Errorf("stats %+v, want %+v", got, want)
	}
	if got := b.claimOne(); got.Age != want.OldestPendingAge || got.Paused != paused {
		b.Errorf("age %v, paused %v; want %v, %v", got.Age, got.Paused, want.OldestPendingAge, paused)
	}
}

// shownTimes: people are shown the machine's time, right or wrong.
func shownTimes(b *bench, j jump) {
	b.acceptAll("an", 1, 1)
	accepted := b.clock.Now()
	j.happen(b)
	b.bury(1)
	dead := b.dead()
	if len(dead) != 1 || !dead[0].AcceptedAt.Equal(accepted) {
		b.Fatalf("dead letters %+v, want one, accepted at %v", dead, accepted)
	}
	if now := b.clock.Now(); !dead[0].DiedAt.Equal(now) {
		b.Errorf("died at %v, want %v", dead[0].DiedAt, now)
	}
}

// longDowntime: what lies beyond a day makes a wait longer, never shorter.
func longDowntime(b *bench) {
	b.acceptAll("an", 1, 1)
	b.settle(b.claimOne(), inbox.Retry{After: 100 * time.Hour})
	if err := b.inbox.Close(); err != nil {
		b.Fatal(err)
	}
	b.clock.Advance(80 * time.Hour)
	b.clock.Restart()
	b.start()
	if wait := b.idle(); wait != 76*time.Hour {
		b.Errorf("waits %v, want 76h", wait)
	}
}

// manyJumps jumps and restarts in turn, and compares ages and known ids with a model: time that went by while the store
// was open counts in full, and each restart what the clock says it took, from nothing to a day.
func manyJumps(b *bench) {
	for seed := range uint64(8) {
		b.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := &wanderer{bench: newBench(t, b.store), random: rand.New(rand.NewPCG(seed, 3)), jumps: jumps()}
			for n := range 100 {
				w.step(n)
			}
		})
	}
}

// wanderer is a store on a machine whose clock shows anything.
type wanderer struct {
	*bench
	random *rand.Rand
	jumps  []jump
	// age is the store's, and sent how old it was when each event came in last.
	age  time.Duration
	sent []time.Duration
	// first is how old the store was when the first event came in.
	first time.Duration
}

func (w *wanderer) step(n int) {
	w.Helper()
	if w.clock.Now().Year() > 9000 {
		w.clock.Set(NewClock().Now())
	}
	if w.random.IntN(2) == 0 {
		w.age += w.jumps[w.random.IntN(len(w.jumps))].happen(w.bench)
	}
	passed := time.Duration(w.random.Int64N(int64(6 * time.Hour)))
	w.clock.Advance(passed)
	w.age += passed
	if w.random.IntN(4) == 0 {
		w.expire()
	}
	w.acceptAll("an", n, n)
	w.sent = append(w.sent, w.age)
	if n == 0 {
		w.first = w.age
	}
	for n, at := range w.sent {
		want := inbox.Duplicate
		if w.age-at >= Window {
			want, w.sent[n] = inbox.Stored, w.age
		}
		if got := w.accept(Event(channelName, "an", n)); got != want {
			w.Fatalf("event %d again after %v: outcome %v, want %v", n, w.age-at, got, want)
		}
	}
	if got, want := w.stats().OldestPendingAge, w.age-w.first; got != want {
		w.Fatalf("the oldest event is %v old, want %v", got, want)
	}
}

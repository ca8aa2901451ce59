// Package inboxtest is the conformance suite of package inbox: every store passes Run and Model. What they assert is
// what the delivery and the webhook rely on.
package inboxtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// Window is the de-duplication window that a store under test is opened with.
const Window = 24 * time.Hour

// Clock is where a store under test reads the time.
type Clock struct {
	mu      sync.Mutex
	now     time.Time
	elapsed time.Duration
}

// NewClock starts at a fixed moment.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)} }

// Now is what the machine's clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Elapsed is the time since the machine started.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

// Advance lets time go by.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.elapsed = c.now.Add(d), c.elapsed+d
}

// Set sets the machine's clock, while no time goes by.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Restart restarts the machine, while no time goes by: nothing that was open may be used any more.
func (c *Clock) Restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed = 0
}

// Capabilities are a store's additions to the contract.
type Capabilities struct {
	// Clock: the store reads the Clock that it is made with, and nothing else. Only then can the suite let time go by.
	// Such a store has a method Expire(context.Context) error, which ends now what is over.
	Clock bool
	// Replicas: several processes use the same storage together, and their statistics are the same.
	Replicas bool
	// Size: the store is an inbox.Sized.
	Size bool
	// Bound: the store is an inbox.Bounded.
	Bound bool
}

// Store is a store under test.
type Store struct {
	Capabilities
	// New prepares storage of one test's own and returns a function that opens it. After Close that function is called
	// again to see what survived.
	New func(t *testing.T, clock *Clock) (open func() inbox.Inbox)
}

// test is one of the suite.
type test struct {
	name string
	run  func(*bench)
}

// always are for every store.
var always = []test{
	// The way in.
	{"a taken event is gone for good", takenIsGone},
	{"concurrent duplicates are stored once", concurrentDuplicates},
	{"a batch is stored whole, and its repetitions once", batch},
	{"a batch of several channels is refused whole", mixedBatch},
	{"concurrent batches that share events store each once", concurrentBatches},
	// The way out.
	{"one lane keeps its order", laneOrder},
	{"lanes do not wait for each other", lanesApart},
	{"a crowded lane does not hold up others", crowdedLane},
	{"large events come in parts and none is forgotten", largeEvents},
	{"a released claim comes back in order", released},
	{"a claim is settled once", settledOnce},
	{"a claim is renewed while it is held", renewed},
	// Dead letters.
	{"dead letters are dropped", drop},
	{"many dead letters are redriven and dropped", manyDead},
	{"what dies again while all are redriven is not redriven again", dyingAgain},
	// Channels.
	{"channels do not see each other", channelsApart},
	{"the ordering at acceptance decides the lane for good", orderings},
	{"a channel has one consumer, whose claims outlive it", consumers},
	{"a question makes no channel", questions},
	{"a closed inbox refuses", closed},
}

// resized need a store whose bound can change.
var resized = []test{
	{"a bound below what is stored refuses new events, and a larger one takes them", rebound},
	{"a bound changes while events come and go", reboundInUse},
}

// timed need a store that reads the suite's clock.
var timed = []test{
	{"an accepted event is claimed with every field", claimedWhole},
	{"a duplicate is recognised within its channel and window", duplicates},
	{"stats count what is there", stats},
	{"stats have an age only with a pending event", oldestIsPending},
	{"a retry holds its lane until its time", retryHolds},
	{"a retry survives a restart", retryRestart},
	{"a restart with claims and retries repeats nothing settled", restartBetween},
	{"an empty claim says whether more is to come", announced},
	{"paused time does not count into the age", pausedAge},
	{"a dead letter lets its lane go on", deadLetterGoesOn},
	{"dead letters are redriven to the end of their lane", redrive},
	{"an id that died twice is dropped once at a time", deadTwice},
	{"random use with restarts keeps every promise", randomUse},
	// Jumps of the clock.
	{"a retry comes when it is due, whatever the clock shows", eachJump(retryJumps)},
	{"an id is known for the window, whatever the clock shows", eachJump(windowJumps)},
	{"a dead letter is kept for its retention, whatever the clock shows", eachJump(retentionJumps)},
	{"ages grow with time, whatever the clock shows", eachJump(ageJumps)},
	{"people see what the clock showed", eachJump(shownTimes)},
	{"a long downtime only makes waits longer", longDowntime},
	{"many jumps and restarts cost what they may and no more", manyJumps},
}

// Run runs the suite.
func Run(t *testing.T, s Store) {
	tests := always
	if s.Clock {
		tests = slices.Concat(tests, timed)
	}
	if s.Bound {
		tests = slices.Concat(tests, resized)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(newBench(t, s)) })
	}
}

func newBench(t *testing.T, s Store) *bench {
	t.Helper()
	clock := NewClock()
	b := &bench{T: t, store: s, clock: clock, open: s.New(t, clock)}
	b.start()
	t.Cleanup(func() {
		if err := b.inbox.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// channelName is the channel that most tests use.
const channelName = "chat/shop"

// bench is one test's store, with the steps of tests.
type bench struct {
	*testing.T
	store Store
	clock *Clock
	open  func() inbox.Inbox
	inbox inbox.Inbox
	// consumer is channelName's, with its settings.
	consumer inbox.Consumer
	settings inbox.Settings
}

// Event returns a distinct event of a conversation.
func Event(channel, conversation string, n int) event.Event {
	body := fmt.Sprintf(`{"conversation":%q,"n":%d}`, conversation, n)
	return event.Event{
		ID: event.ID(sha256.Sum256([]byte(body))), Channel: channel,
		Source: "/zalo/1/2", Type: "vn.zalo.oa.user_send_text", Subject: conversation,
		Conversation: conversation, Time: time.UnixMilli(1699003881354 + int64(n)), ContentType: "application/json", Body: []byte(body),
	}
}

func (b *bench) accept(e event.Event) inbox.Outcome {
	b.Helper()
	return b.acceptBatch(e)[0]
}

func (b *bench) acceptBatch(batch ...event.Event) []inbox.Outcome {
	b.Helper()
	outcomes, err := b.inbox.Accept(context.Background(), batch)
	if err != nil || len(outcomes) != len(batch) {
		b.Fatalf("accept: %d outcomes of %d, %v", len(outcomes), len(batch), err)
	}
	return outcomes
}

func (b *bench) acceptAll(conversation string, from, to int) {
	b.Helper()
	for n := from; n <= to; n++ {
		if got := b.accept(Event(channelName, conversation, n)); got != inbox.Stored {
			b.Fatalf("accept %s/%d: outcome %v, want stored", conversation, n, got)
		}
	}
}

func (b *bench) claim(limit int) []inbox.Claim {
	b.Helper()
	claims, _, err := b.consumer.Claim(b.Context(), limit)
	if err != nil {
		b.Fatalf("claim: %v", err)
	}
	return claims
}

// claimOne waits until exactly one event can be claimed: what a store does in the background may delay it a little, and
// Ready announces it.
func (b *bench) claimOne() inbox.Claim {
	b.Helper()
	deadline := time.After(10 * time.Second)
	for {
		if claims := b.claim(1); len(claims) == 1 {
			return claims[0]
		}
		select {
		case <-b.consumer.Ready():
		case <-deadline:
			b.Fatal("nothing can be claimed")
		}
	}
}

func (b *bench) settle(c inbox.Claim, v inbox.Verdict) {
	b.Helper()
	c.Event.Body = nil // callers may free it
	if err := b.consumer.Settle(context.Background(), c, v); err != nil {
		b.Fatalf("settle: %v", err)
	}
}

func (b *bench) stats() inbox.Stats {
	b.Helper()
	s, err := b.inbox.Stats(b.Context(), channelName)
	if err != nil {
		b.Fatalf("stats: %v", err)
	}
	if s.Shared != b.store.Replicas {
		b.Errorf("stats say shared: %v", s.Shared)
	}
	s.Shared = false // for comparisons
	return s
}

func (b *bench) reopen() {
	b.Helper()
	if err := b.inbox.Close(); err != nil {
		b.Fatalf("close: %v", err)
	}
	b.clock.Restart()
	b.start()
}

// start opens the inbox and its consumer, with the settings that it had.
func (b *bench) start() {
	b.Helper()
	b.inbox = b.open()
	b.consumer = b.consume()
}

func (b *bench) consume() inbox.Consumer {
	b.Helper()
	c, err := b.inbox.Consume(b.Context(), channelName, b.settings)
	if err != nil {
		b.Fatalf("consume: %v", err)
	}
	return c
}

// takeInOrder claims and takes events of one conversation.
func (b *bench) takeInOrder(conversation string, from, to int) {
	b.Helper()
	for n := from; n <= to; n++ {
		c := b.claimOne()
		if want := Event(channelName, conversation, n).ID; c.Event.ID != want {
			b.Fatalf("claimed %s, want event %d of %s", c.Event.Body, n, conversation)
		}
		b.settle(c, inbox.Taken{})
	}
}

func (b *bench) nothingClaimable() {
	b.Helper()
	if claims := b.claim(10); len(claims) != 0 {
		b.Fatalf("claimed %d events, want none: first %s", len(claims), claims[0].Event.Body)
	}
}

// idle waits until the store has done what it does in the background, during which nothing may be claimable, and
// returns how long until something will be.
func (b *bench) idle() (wait time.Duration) {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		claims, wait, err := b.consumer.Claim(b.Context(), 10)
		if err != nil || len(claims) != 0 {
			b.Fatalf("claims %v, error %v; want none", claims, err)
		}
		if wait > 0 || time.Now().After(deadline) {
			return wait
		}
	}
}

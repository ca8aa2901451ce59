package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// fakeQueue is an inbox.Queue in memory that keeps to the contract of lanes and reports every breach of it by its
// caller as a test failure.
type fakeQueue struct {
	t  *testing.T
	mu sync.Mutex
	// failClaim and failSettle, when set, fail the calls.
	failClaim, failSettle error
	failConfigure         error
	claimGate             chan struct{} // when set, Claim waits for it
	releaseGate           chan struct{} // when set, Settle waits for it with what is released
	claimCalls            int
	bodySize              int      // of the events to accept
	configured            []string // channels, in the order of Configure
	channels              map[string]*fakeChannel
}

type fakeChannel struct {
	settings   inbox.Settings
	consumed   bool
	ready      chan struct{}
	order      []string // lanes, by first event
	lanes      map[string][]*fakeEvent
	sequence   uint64
	taken      []event.ID
	dead       []inbox.DeadLetter
	paused     time.Duration // in total, up to pausedFrom
	pausedFrom time.Time
}

type fakeEvent struct {
	inbox.Claim
	acceptedAt time.Time
	due        time.Time
	held       bool
	pausedThen time.Duration
}

func newFakeQueue(t *testing.T) *fakeQueue {
	t.Helper()
	return &fakeQueue{t: t, channels: make(map[string]*fakeChannel)}
}

func (q *fakeQueue) channel(name string) *fakeChannel {
	c := q.channels[name]
	if c == nil {
		c = &fakeChannel{ready: make(chan struct{}, 1), lanes: make(map[string][]*fakeEvent)}
		q.channels[name] = c
	}
	return c
}

func (c *fakeChannel) signal() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

func (c *fakeChannel) pausedSoFar() time.Duration {
	if c.settings.Paused {
		return c.paused + time.Since(c.pausedFrom)
	}
	return c.paused
}

// accept stores an event whose id is derived from its number in the channel.
func (q *fakeQueue) accept(channel, lane string) event.ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.put(channel, lane, lane)
}

// acceptUnordered stores events that have a lane each.
func (q *fakeQueue) acceptUnordered(channel string, conversations ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, conversation := range conversations {
		q.put(channel, conversation, fmt.Sprint("lane ", q.channel(channel).sequence))
	}
}

func (q *fakeQueue) put(channel, conversation, lane string) event.ID {
	c := q.channel(channel)
	c.sequence++
	id := event.ID{byte(c.sequence >> 8), byte(c.sequence)}
	e := &fakeEvent{acceptedAt: time.Now(), pausedThen: c.pausedSoFar(), Claim: inbox.Claim{
		Event:    event.Event{ID: id, Channel: channel, Conversation: conversation, Body: make([]byte, q.bodySize)},
		Lane:     lane,
		Sequence: c.sequence,
	}}
	if len(c.lanes[lane]) == 0 && !slices.Contains(c.order, lane) {
		c.order = append(c.order, lane)
	}
	c.lanes[lane] = append(c.lanes[lane], e)
	c.signal()
	return id
}

// fakeConsumer is a channel of a fakeQueue.
type fakeConsumer struct {
	*fakeQueue
	channel string
}

func (q *fakeQueue) Consume(ctx context.Context, channel string, s inbox.Settings) (inbox.Consumer, error) {
	c := fakeConsumer{q, channel}
	q.mu.Lock()
	if q.channel(channel).consumed {
		q.t.Errorf("%s is consumed twice", channel)
	}
	q.mu.Unlock()
	if err := c.Configure(ctx, s); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.channel(channel).consumed = true
	return c, nil
}

func (f fakeConsumer) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fakeQueue.channel(f.channel).consumed = false
	return nil
}

func (fakeConsumer) Renew(context.Context, *inbox.Claim) error { return nil }

func (f fakeConsumer) Configure(_ context.Context, s inbox.Settings) error {
	q, channel := f.fakeQueue, f.channel
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failConfigure != nil {
		return q.failConfigure
	}
	c := q.channel(channel)
	c.paused, c.pausedFrom = c.pausedSoFar(), time.Now()
	c.settings = s
	q.configured = append(q.configured, channel)
	return nil
}

func (f fakeConsumer) Claim(_ context.Context, limit int) ([]inbox.Claim, time.Duration, error) {
	q, channel := f.fakeQueue, f.channel
	if q.claimGate != nil {
		<-q.claimGate
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.claimCalls++
	c := q.channel(channel)
	if !c.consumed || limit < 1 {
		q.t.Errorf("Claim(%q, %d) by a closed consumer, or for nothing", channel, limit)
	}
	if q.failClaim != nil {
		return nil, inbox.Never, q.failClaim
	}
	var claims []inbox.Claim
	wait := inbox.Never
	for _, lane := range c.order {
		if len(c.lanes[lane]) == 0 || c.lanes[lane][0].held {
			continue
		}
		head := c.lanes[lane][0]
		switch {
		case len(claims) == limit:
			return claims, inbox.Never, nil
		case len(claims)*q.bodySize >= 1<<20: // large ones come a few at a time
			c.signal()
			return claims, inbox.Never, nil
		case head.due.After(time.Now()):
			wait = min(wait, time.Until(head.due))
		default:
			head.held = true
			head.Age, head.Paused = time.Since(head.acceptedAt), c.pausedSoFar()-head.pausedThen
			claims = append(claims, head.Claim)
		}
	}
	return claims, wait, nil
}

func (f fakeConsumer) Settle(ctx context.Context, claim inbox.Claim, v inbox.Verdict) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q := f.fakeQueue
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, released := v.(inbox.Released); released && q.releaseGate != nil {
		gate := q.releaseGate
		q.mu.Unlock()
		<-gate
		q.mu.Lock()
	}
	if q.failSettle != nil {
		return q.failSettle
	}
	if claim.Event.Body != nil {
		q.t.Errorf("Settle of %q, sequence %d, holds the event's body", claim.Lane, claim.Sequence)
	}
	c := q.channel(f.channel)
	lane := c.lanes[claim.Lane]
	if len(lane) == 0 || lane[0].Sequence != claim.Sequence || !lane[0].held {
		q.t.Errorf("Settle of %q, sequence %d, which is not held", claim.Lane, claim.Sequence)
		return nil
	}
	head := lane[0]
	head.held = false
	switch v := v.(type) {
	case inbox.Taken:
		c.taken = append(c.taken, head.Event.ID)
		c.next(claim.Lane)
	case inbox.Dead:
		c.dead = append(c.dead,
			inbox.DeadLetter{Event: head.Event, Reason: v.Reason, Attempts: head.Attempts + 1, AcceptedAt: head.acceptedAt, DiedAt: time.Now()})
		c.next(claim.Lane)
	case inbox.Retry:
		head.Attempts++
		head.due = time.Now().Add(v.After)
		c.signal()
	case inbox.Released:
		c.signal()
	}
	return nil
}

func (c *fakeChannel) next(lane string) {
	c.lanes[lane] = c.lanes[lane][1:]
	if len(c.lanes[lane]) > 0 {
		c.signal()
	}
}

func (f fakeConsumer) Ready() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fakeQueue.channel(f.channel).ready
}

// pending counts what is neither taken nor dead.
func (q *fakeQueue) pending(channel string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, lane := range q.channel(channel).lanes {
		n += len(lane)
	}
	return n
}

func (q *fakeQueue) held(channel string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, lane := range q.channel(channel).lanes {
		for _, e := range lane {
			if e.held {
				n++
			}
		}
	}
	return n
}

func (q *fakeQueue) taken(channel string) []event.ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.channel(channel).taken)
}

func (q *fakeQueue) dead(channel string) []inbox.DeadLetter {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.channel(channel).dead)
}

func (q *fakeQueue) gateReleases(gate chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.releaseGate = gate
}

// fail sets or clears the error of one kind of call.
func (q *fakeQueue) fail(which *error, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*which = err
}

var errDisk = errors.New("disk trouble")

// fakeSink records what arrives and answers as told.
type fakeSink struct {
	// answer makes the result of one attempt; nil takes everything.
	answer func(ctx context.Context, e event.Event) error

	mu      sync.Mutex
	arrived []arrival
	busy    int
	closed  int
}

type arrival struct {
	id   event.ID
	lane string
	at   time.Time
}

func (s *fakeSink) Send(ctx context.Context, e event.Event) error {
	s.mu.Lock()
	if s.closed > 0 {
		panic("Send after Close")
	}
	s.arrived = append(s.arrived, arrival{e.ID, e.Conversation, time.Now()})
	s.busy++
	answer := s.answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy--
	}()
	if answer == nil {
		return nil
	}
	return answer(ctx, e)
}

// answers changes what the attempts from now on result in.
func (s *fakeSink) answers(answer func(ctx context.Context, e event.Event) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *fakeSink) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		panic("Close under an attempt")
	}
	s.closed++
}

func (s *fakeSink) closings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *fakeSink) arrivals() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrived)
}

func (s *fakeSink) inFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy
}

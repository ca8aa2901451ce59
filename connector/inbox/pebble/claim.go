package pebble

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

const (
	// maxWaiting events of one lane wait in memory behind a claimed one; with more the lane becomes tracked.
	maxWaiting = 64
	// claimBytes of bodies end one call of Claim: its caller does not know the sizes of the events.
	claimBytes = 1 << 20
	// maxRead events are read in one Claim, so that a long run of events of busy lanes does not hold up results.
	maxRead = 1024
)

// claiming is one call of Claim. The caller holds the channel's mu.
type claiming struct {
	store   *Inbox
	channel *channel
	limit   int
	now     layout.Instant
	claims  []inbox.Claim
	bytes   int // those of the claims' bodies
}

func (c *consumer) Claim(_ context.Context, limit int) (claims []inbox.Claim, wait time.Duration, err error) {
	if err := c.acquire(); err != nil {
		return nil, inbox.Never, err
	}
	defer c.store.release()
	ch := c.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	making := &claiming{store: c.store, channel: ch, limit: limit, now: c.store.clock.now()}
	if err := making.all(); err != nil {
		return nil, inbox.Never, fmt.Errorf("claim from %s: %w", ch.name, engine.Explained(err))
	}
	c.store.park(ch, making.now)
	return making.claims, ch.wait(making.now), nil
}

// all claims from every source in turn. Its error means that nothing is claimed.
func (c *claiming) all() error {
	// No source may starve another: each goes first in turn.
	sources := [...]func() error{c.successors, c.due, c.fresh}
	for i := range sources {
		if err := sources[(c.channel.firstSource+i)%len(sources)](); err != nil {
			c.store.endIfDamaged(err)
			if len(c.claims) == 0 {
				return err
			}
			c.channel.signal() // the claims go out; the next call meets the error again
			break
		}
	}
	if c.bytes >= claimBytes {
		c.channel.signal() // there may be more
	}
	c.channel.firstSource++
	return nil
}

// wait is how long until more may be claimable. The caller holds mu.
func (c *channel) wait(now layout.Instant) time.Duration {
	next := c.nextTimer
	switch {
	case c.parking > 0:
		next = now // more can be claimed as soon as that is done
	case len(c.unparked) > 0:
		next = min(next, c.parkFrom)
	}
	if next == layout.Never {
		return inbox.Never
	}
	return max(next.Since(now), 0)
}

func (c *claiming) full() bool { return len(c.claims) >= c.limit || c.bytes >= claimBytes }

// successors claims the next event of untracked lanes.
func (c *claiming) successors() error {
	ch := c.channel
	for len(ch.successors) > 0 && !c.full() {
		l := ch.successors[0]
		ch.successors = ch.successors[1:]
		if l.tracked || l.claimed || len(l.waiting) == 0 {
			continue
		}
		if err := c.load(l, l.waiting[0], 0); err != nil {
			ch.successors = append(ch.successors, l)
			return err
		}
		l.waiting = l.waiting[1:]
	}
	return nil
}

// due claims the heads of tracked lanes whose time has come.
func (c *claiming) due() (err error) {
	ch := c.channel
	if c.now < ch.nextTimer {
		return nil
	}
	from, next := c.now, layout.Never
	start, end := layout.TimerBound(ch.key, ch.timersFrom), layout.RangeEnd(layout.PrefixTimer, ch.key)
	for key := range layout.Range(c.store.db, start, end, &err) {
		due, lane := layout.TimerOf(key)
		from = min(from, due)
		if due > c.now || c.full() {
			next = due
			break
		}
		if l := ch.lanes[lane]; l != nil && l.claimed {
			continue
		}
		if err := c.claimTracked(lane); err != nil {
			return err
		}
	}
	if err == nil { // else the timers that were not read would be forgotten
		ch.timersFrom, ch.nextTimer = from, next
	}
	return err
}

func (c *claiming) claimTracked(key layout.LaneKey) error {
	ch := c.channel
	record, tracked, err := ch.lane(c.store.db, key)
	if err != nil {
		return err
	}
	if !tracked {
		return fmt.Errorf("%w: timer without lane", layout.ErrRecord)
	}
	l := ch.lanes[key]
	if l == nil {
		l = &lane{key: key}
	}
	l.tracked = true
	return c.load(l, record.Head, record.Attempts)
}

// fresh goes on with the events that no lane knows of yet.
func (c *claiming) fresh() error {
	ch := c.channel
	for read := 0; !c.full(); read++ {
		// During a park operation, or the wait after a failed one, the disk knows less than was read: reading on would
		// have to remember too much.
		if ch.parking > 0 || c.now < ch.parkFrom {
			return nil
		}
		if read == maxRead {
			break
		}
		e, ok, end := ch.ahead.next()
		if !ok {
			if end > ch.durable.Load() {
				return nil
			}
			if err := c.fillAhead(end); err != nil {
				return err
			}
			continue
		}
		if err := c.place(e.sequence, e.record); err != nil {
			ch.ahead.reset(ch.cursor) // the event must be met again
			return err
		}
		ch.cursor = e.sequence + 1
	}
	ch.signal() // there may be more
	return nil
}

// fillAhead reads the next run of events, from a sequence on.
func (c *claiming) fillAhead(from uint64) (err error) {
	ch := c.channel
	end := ch.durable.Load() + 1
	var events []encodedEvent
	bytes := 0
	for key, value := range layout.Range(c.store.db, layout.EventKey(ch.key, from), layout.EventKey(ch.key, end), &err) {
		if bytes += len(value); bytes > aheadBytes && len(events) > 0 {
			end = layout.SequenceOf(key)
			break
		}
		events = append(events, encodedEvent{layout.SequenceOf(key), slices.Clone(value)})
	}
	if err == nil {
		ch.ahead.extend(from, events, end)
	}
	return err
}

// place claims an event whose lane is idle and lets it wait otherwise.
func (c *claiming) place(sequence uint64, value []byte) error {
	ch := c.channel
	event, err := layout.DecodeEvent(ch.name, value)
	if err != nil {
		return err
	}
	key := layout.LaneKeyOf(event.Lane())
	l := ch.lanes[key]
	if l == nil {
		record, tracked, err := ch.lane(c.store.db, key)
		if err != nil {
			return err
		}
		l = &lane{key: key, tracked: tracked, head: record.Head}
		if !tracked {
			return c.claimFresh(l, sequence, event)
		}
	}
	if sequence <= l.head {
		return nil // a tracked lane's head, met again after a restart
	}
	ch.lanes[key] = l
	ch.queue(l, sequence)
	return nil
}

func (c *claiming) claimFresh(l *lane, sequence uint64, event layout.EventRecord) error {
	if sequence <= c.channel.recovered {
		_, pending, err := layout.Get(c.store.db, layout.EventKey(c.channel.key, sequence))
		if err != nil || !pending {
			return err // its lane's record led to it first
		}
	}
	c.add(l, sequence, event, 0)
	return nil
}

// queue puts an event behind the others of its lane. The caller holds mu.
func (c *channel) queue(l *lane, sequence uint64) {
	l.waiting = append(l.waiting, sequence)
	switch {
	case l.tracked && len(l.waiting) == 1:
		c.unparked = append(c.unparked, l)
	case !l.tracked && len(l.waiting) > maxWaiting:
		l.tracked = true
		c.unparked = append(c.unparked, l)
	}
}

func (c *claiming) load(l *lane, sequence uint64, attempts int) error {
	value, found, err := layout.Get(c.store.db, layout.EventKey(c.channel.key, sequence))
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: lane without its event", layout.ErrRecord)
	}
	event, err := layout.DecodeEvent(c.channel.name, value)
	if err != nil {
		return err
	}
	c.add(l, sequence, event, attempts)
	return nil
}

func (c *claiming) add(l *lane, sequence uint64, record layout.EventRecord, attempts int) {
	l.claimed, l.head, l.size = true, sequence, len(record.Event.Body)
	c.bytes += l.size
	c.channel.lanes[l.key] = l
	paused := c.channel.pausedTime(c.now) - record.PausedBefore
	c.claims = append(c.claims, inbox.Claim{
		Event: record.Event, Attempts: attempts,
		Age: c.now.Since(record.AcceptedAt), Paused: paused,
		Lane: record.Lane(), Sequence: sequence,
	})
}

// lane reads a lane's record. It reads nothing while the channel has no tracked lane, as nearly always. The count can
// be trusted, since a lane in transition is in memory.
func (c *channel) lane(r pebble.Reader, l layout.LaneKey) (record layout.LaneRecord, tracked bool, err error) {
	if c.tracked.Load() == 0 {
		return record, false, nil
	}
	return layout.LaneOf(r, c.key, l)
}

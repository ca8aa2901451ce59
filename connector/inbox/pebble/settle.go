package pebble

import (
	"context"
	"fmt"
	"math"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// settlement is the operation that ends a claim.
type settlement struct {
	pending
	channel *channel
	lane    layout.LaneKey
	claim   inbox.Claim
	verdict inbox.Verdict
	waiting []uint64       // the lane's further events, which become pointers if the lane becomes tracked
	tracked bool           // the operation left the lane tracked
	due     layout.Instant // when it is tried next then
}

// Settle implements inbox.Consumer. When ctx ends first, the result is stored all the same, unless the process ends.
func (c *consumer) Settle(ctx context.Context, claim inbox.Claim, verdict inbox.Verdict) error {
	s := c.store
	if err := s.acquire(); err != nil {
		return err
	}
	defer s.release()
	op := &settlement{
		pending: newPending(256),
		channel: c.channel, lane: layout.LaneKeyOf(claim.Lane), claim: claim, verdict: verdict,
	}
	l, err := op.begin()
	if err != nil {
		return err
	}
	if _, released := verdict.(inbox.Released); released {
		c.channel.release(l, claim.Sequence)
		return nil
	}
	if err := s.committer.submit(op); err != nil {
		op.end(l, err)
		return err
	}
	select {
	case err := <-op.done:
		op.end(l, err)
		s.endIfDamaged(err)
		return engine.Explained(err)
	case <-ctx.Done():
		s.late.Go(func() { op.end(l, <-op.done) })
		return context.Cause(ctx)
	}
}

// Renew implements inbox.Consumer. It only looks: no other process has the store, so a claim lasts until it is settled.
func (c *consumer) Renew(_ context.Context, claim *inbox.Claim) error {
	c.channel.mu.Lock()
	defer c.channel.mu.Unlock()
	_, err := c.channel.held(*claim)
	return err
}

// held returns the lane of a claim that is not settled. The caller holds mu.
func (c *channel) held(claim inbox.Claim) (*lane, error) {
	l := c.lanes[layout.LaneKeyOf(claim.Lane)]
	if l == nil || !l.claimed || l.settling || l.head != claim.Sequence {
		return nil, fmt.Errorf("event %s: %w", claim.Event.ID, inbox.ErrLost)
	}
	return l, nil
}

func (o *settlement) begin() (*lane, error) {
	ch := o.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	l, err := ch.held(o.claim)
	if err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	l.settling = true
	if _, dead := o.verdict.(inbox.Dead); dead {
		o.size += l.size // the event is copied
	}
	if _, retry := o.verdict.(inbox.Retry); retry && !l.tracked {
		o.waiting = slices.Clone(l.waiting)
	}
	return l, nil
}

// end brings the lane in memory to its state on disk, which an error leaves as it was.
func (o *settlement) end(l *lane, err error) {
	o.channel.mu.Lock()
	defer o.channel.mu.Unlock()
	l.settling = false
	if err == nil {
		o.finish(l)
	}
}

// finish lets the lane go on. The caller holds the channel's mu.
func (o *settlement) finish(l *lane) {
	ch := o.channel
	l.claimed = false
	if n := len(o.waiting); n > 0 {
		parked := o.waiting[n-1]
		l.waiting = slices.DeleteFunc(l.waiting, func(sequence uint64) bool { return sequence <= parked })
	}
	if o.tracked {
		if !l.tracked && len(l.waiting) > 0 {
			ch.unparked = append(ch.unparked, l)
		}
		l.tracked = true
		ch.timerSet(o.due)
	}
	ch.follow(l)
}

// follow lets an untracked lane go on with its next event. The caller holds mu.
func (c *channel) follow(l *lane) {
	if !l.tracked && len(l.waiting) > 0 {
		c.successors = append(c.successors, l)
		c.signal()
	}
	c.forget(l)
}

// release ends a claim as if it had not been made.
func (c *channel) release(l *lane, sequence uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.claimed, l.settling = false, false
	if l.tracked {
		c.timerSet(c.timersFrom)
		c.forget(l)
		return
	}
	l.waiting = append([]uint64{sequence}, l.waiting...)
	c.follow(l)
}

// reads: only what never touches a tracked lane can do without.
func (o *settlement) reads() bool {
	_, taken := o.verdict.(inbox.Taken)
	return !taken || o.channel.tracked.Load() > 0
}

func (o *settlement) apply(tx *transaction) error {
	record, tracked, err := o.channel.lane(tx.reader, o.lane)
	if err != nil {
		return err
	}
	if retry, ok := o.verdict.(inbox.Retry); ok {
		o.retry(tx, record, tracked, tx.now.Add(retry.After))
		return nil
	}
	next, err := o.next(tx, tracked)
	if err != nil {
		return err
	}
	if dead, ok := o.verdict.(inbox.Dead); ok {
		if err := o.bury(tx, dead.Reason); err != nil {
			return err
		}
	}
	// An event's key is written once, so this deletion vanishes together with it as soon as compaction meets both.
	tx.wrote(tx.SingleDelete(layout.EventKey(o.channel.key, o.claim.Sequence), nil))
	o.channel.settled.Add(1)
	tx.changed[o.channel] = struct{}{}
	if tracked {
		o.advance(tx, record, next)
	}
	return nil
}

// retry writes the lane's next attempt; the lane becomes tracked if it was not.
func (o *settlement) retry(tx *transaction, record layout.LaneRecord, tracked bool, at layout.Instant) {
	if tracked {
		tx.wrote(tx.Delete(layout.TimerKey(o.channel.key, record.Due, o.lane), nil))
	} else {
		o.channel.tracked.Add(1)
	}
	for _, sequence := range o.waiting {
		tx.wrote(tx.Set(layout.PointerKey(o.channel.key, o.lane, sequence), nil, nil))
	}
	o.tracked, o.due = true, at
	tx.track(o.channel, o.lane, layout.LaneRecord{Head: o.claim.Sequence, Attempts: o.claim.Attempts + 1, Due: at})
}

// next is the tracked lane's further event, zero if there is none.
func (o *settlement) next(tx *transaction, tracked bool) (sequence uint64, err error) {
	if !tracked {
		return 0, nil
	}
	from := layout.PointerKey(o.channel.key, o.lane, o.claim.Sequence+1)
	for key := range layout.Range(tx.reader, from, layout.PointerKey(o.channel.key, o.lane, math.MaxUint64), &err) {
		return layout.SequenceOf(key), nil
	}
	return 0, err
}

// advance makes next the head of a tracked lane, or ends the tracking.
func (o *settlement) advance(tx *transaction, record layout.LaneRecord, next uint64) {
	key := o.channel.key
	tx.wrote(tx.Delete(layout.TimerKey(key, record.Due, o.lane), nil))
	if next == 0 {
		o.channel.tracked.Add(-1)
		tx.wrote(tx.Delete(layout.LaneRecordKey(key, o.lane), nil))
		return
	}
	o.tracked, o.due = true, tx.now
	tx.wrote(tx.Delete(layout.PointerKey(key, o.lane, next), nil))
	tx.track(o.channel, o.lane, layout.LaneRecord{Head: next, Due: tx.now})
}

// bury copies the event to the dead letters.
func (o *settlement) bury(tx *transaction, reason string) error {
	value, found, err := layout.Get(tx.reader, layout.EventKey(o.channel.key, o.claim.Sequence))
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: claim without its event", layout.ErrRecord)
	}
	dead := layout.DeadRecord{DiedTime: tx.time, Attempts: o.claim.Attempts + 1, Reason: reason, Event: value}
	o.channel.deadLetters.Add(1)
	tx.wrote(tx.Set(layout.DeadLetterKey(o.channel.key, tx.now, o.claim.Sequence), dead.Encode(), nil))
	return nil
}

package pebble

import (
	"context"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// duplicateID is the scope of an event id: one channel.
type duplicateID struct {
	channel channelKey
	id      event.ID
}

// acceptance is the operation that stores one event.
type acceptance struct {
	pending
	channel *channel
	id      event.ID
	record  []byte
	outcome inbox.Outcome
}

// Accept implements inbox.Accepter.
func (s *Inbox) Accept(ctx context.Context, e event.Event, lane string) (inbox.Outcome, error) {
	if s.committer.overloaded() {
		return 0, inbox.ErrOverloaded
	}
	ch, now := s.channel(e.Channel), s.clock.now()
	record := eventRecord{
		acceptedAt: now, acceptedTime: s.clock.source.Now(), pausedBefore: ch.pausedTime(now), lane: lane, event: e,
	}.encode()
	op := &acceptance{pending: newPending(len(record) + 128), channel: ch, id: e.ID, record: record}
	if err := s.do(ctx, op); err != nil {
		return 0, explained(err)
	}
	return op.outcome, nil
}

// do queues an operation and waits until it is durable or ctx ends.
func (s *Inbox) do(ctx context.Context, op operation) error {
	if err := s.committer.submit(op); err != nil {
		return err
	}
	select {
	case err := <-op.base().done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (*acceptance) reads() bool { return false }

func (a *acceptance) apply(tx *transaction) error {
	key := duplicateID{a.channel.key, a.id}
	if _, again := tx.accepted[key]; again {
		a.outcome = inbox.Duplicate
		return nil
	}
	seen, err := tx.store.duplicates.seen(tx.reader, a.channel.key, a.id, tx.now)
	switch {
	case err != nil:
		return err
	case seen:
		a.outcome = inbox.Duplicate
		return nil
	case tx.full != nil:
		return tx.full
	}
	if err := tx.append(a.channel, a.record); err != nil {
		return err
	}
	tx.accepted[key] = struct{}{}
	a.outcome = inbox.Stored
	return tx.store.duplicates.remember(tx.Batch, a.channel.key, a.id, tx.now)
}

// pausedTime is how long the channel was paused in all, up to now.
func (c *channel) pausedTime(now instant) time.Duration { return c.pauses.Load().at(now) }

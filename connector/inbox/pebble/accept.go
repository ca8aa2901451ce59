package pebble

import (
	"context"
	"errors"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// duplicateID is the scope of an event id: one channel.
type duplicateID struct {
	channel layout.ChannelKey
	id      event.ID
}

// acceptance is the operation that stores a batch of events.
type acceptance struct {
	pending
	channel  *channel
	events   []newEvent
	outcomes []inbox.Outcome // those of events, in their order
	// event and outcome make room for one event, as in nearly every batch, without a further allocation.
	event   [1]newEvent
	outcome [1]inbox.Outcome
}

type newEvent struct {
	id     event.ID
	record []byte
}

func newAcceptance(ch *channel, n int) *acceptance {
	a := &acceptance{pending: newPending(0), channel: ch}
	a.events, a.outcomes = a.event[:], a.outcome[:]
	if n > 1 {
		a.events, a.outcomes = make([]newEvent, n), make([]inbox.Outcome, n)
	}
	return a
}

// errMixedBatch: a batch belongs to one channel.
var errMixedBatch = errors.New("accept: the batch holds events of several channels")

// Accept implements inbox.Accepter.
func (s *Inbox) Accept(ctx context.Context, batch []event.Event) ([]inbox.Outcome, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	if s.committer.overloaded() {
		return nil, inbox.ErrOverloaded
	}
	op := newAcceptance(s.channel(batch[0].Channel), len(batch))
	now, shown := s.clock.now(), s.clock.source.Now()
	record := layout.EventRecord{
		AcceptedAt: now, AcceptedTime: shown, PausedBefore: op.channel.pausedTime(now), Ordering: inbox.Ordering(op.channel.ordering.Load()),
	}
	for i, e := range batch {
		if e.Channel != op.channel.name {
			return nil, errMixedBatch
		}
		record.Event = e
		op.events[i] = newEvent{e.ID, record.Encode()}
		op.size += len(op.events[i].record) + 128
	}
	if err := s.committer.submitAndWait(ctx, op); err != nil {
		return nil, engine.Explained(err)
	}
	return op.outcomes, nil
}

func (a *acceptance) apply(tx *transaction) error {
	fresh, err := a.recognise(tx)
	if fresh && err == nil {
		err = tx.full
	}
	if err != nil {
		a.withdraw(tx)
		return err
	}
	for i, e := range a.events {
		if a.outcomes[i] == inbox.Stored {
			tx.append(a.channel, e.record)
			tx.wrote(tx.store.duplicates.remember(tx.Batch, a.channel.key, e.id, tx.now))
		}
	}
	return nil
}

// recognise tells new events from duplicates, and reports whether any is new.
func (a *acceptance) recognise(tx *transaction) (fresh bool, err error) {
	for i, e := range a.events {
		key := duplicateID{a.channel.key, e.id}
		_, again := tx.accepted[key]
		if !again {
			if again, err = tx.store.duplicates.seen(tx.reader, a.channel.key, e.id, tx.now); err != nil {
				return fresh, err
			}
		}
		a.outcomes[i] = inbox.Duplicate
		if !again {
			a.outcomes[i], fresh = inbox.Stored, true
			tx.accepted[key] = struct{}{}
		}
	}
	return fresh, nil
}

// withdraw lets the same ids be stored by another operation of the transaction.
func (a *acceptance) withdraw(tx *transaction) {
	for i, e := range a.events {
		if a.outcomes[i] == inbox.Stored {
			delete(tx.accepted, duplicateID{a.channel.key, e.id})
		}
	}
}

// pausedTime is how long the channel was paused in all, up to now.
func (c *channel) pausedTime(now layout.Instant) time.Duration { return c.pauses.Load().At(now) }

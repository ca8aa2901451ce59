package pebble

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// DeadLetters implements inbox.DeadLetters.
func (s *Inbox) DeadLetters(name string) iter.Seq2[inbox.DeadLetter, error] {
	return func(yield func(inbox.DeadLetter, error) bool) {
		ch := s.known(name)
		if ch == nil {
			return
		}
		for entry, err := range s.deadEntries(ch, layout.DeadLetterBound(ch.key, 0), layout.DeadLetterBound(ch.key, layout.Never)) {
			if err != nil {
				yield(inbox.DeadLetter{}, err)
				return
			}
			if !yield(entry.Letter, nil) {
				return
			}
		}
	}
}

// deadEntries yields a channel's dead letters from a key on and before another.
func (s *Inbox) deadEntries(ch *channel, from, end []byte) iter.Seq2[layout.DeadEntry, error] {
	return func(yield func(layout.DeadEntry, error) bool) {
		if err := s.acquire(); err != nil {
			yield(layout.DeadEntry{}, err)
			return
		}
		defer s.release()
		err := layout.Each(s.db, from, end, func(key, value []byte) error {
			entry, err := layout.ReadDead(ch.name, key, value)
			if err == nil && !yield(entry, nil) {
				return layout.ErrEnough
			}
			return err
		})
		if err != nil {
			yield(layout.DeadEntry{}, err)
		}
	}
}

// Redrive implements inbox.DeadLetters.
func (s *Inbox) Redrive(ctx context.Context, channel string, ids ...event.ID) (int, error) {
	return s.someDead(ctx, channel, ids, redriveDead)
}

// Drop implements inbox.DeadLetters.
func (s *Inbox) Drop(ctx context.Context, channel string, ids ...event.ID) (int, error) {
	return s.someDead(ctx, channel, ids, dropDead)
}

// someDead does one thing to the dead letters of the given ids, or to all.
func (s *Inbox) someDead(ctx context.Context, name string, ids []event.ID, act deadAction) (int, error) {
	ch := s.known(name)
	if ch == nil {
		return 0, notFound(len(ids), len(ids))
	}
	missing := make(map[event.ID]struct{}, len(ids))
	for _, id := range ids {
		missing[id] = struct{}{}
	}
	wanted := func(id event.ID) bool {
		_, is := missing[id]
		delete(missing, id)
		return is || len(ids) == 0
	}
	end, err := s.deadEnd(ch)
	if err != nil {
		return 0, err
	}
	n, err := s.eachDead(ctx, ch, end, wanted, act)
	if err == nil {
		err = notFound(len(missing), len(ids))
	}
	return n, err
}

// notFound is nil if no id is missing.
func notFound(missing, of int) error {
	if missing == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d ids", inbox.ErrNotFound, missing, of)
}

// deadEnd is the key behind a channel's last dead letter, or before the first place
// of one. What dies later comes behind it, a redriven event again too.
func (s *Inbox) deadEnd(ch *channel) (end []byte, err error) {
	if err := s.acquire(); err != nil {
		return nil, err
	}
	defer s.release()
	it, err := layout.Iterate(s.db, layout.DeadLetterBound(ch.key, 0), layout.DeadLetterBound(ch.key, layout.Never))
	if err != nil {
		return nil, err
	}
	end = layout.DeadLetterBound(ch.key, 0) // a range without an end would hold those of other channels
	if it.Last() {
		end = append(slices.Clone(it.Key()), 0)
	}
	return end, it.Close()
}

// deadBatch dead letters at most go into one operation, and no more bytes than
// into any batch: enough to make the fsync cheap, few enough to bound memory.
const deadBatch = 256

// eachDead does one thing to every wanted dead letter before a key.
func (s *Inbox) eachDead(ctx context.Context, ch *channel, end []byte, wanted func(event.ID) bool, act deadAction) (n int, err error) {
	from := layout.DeadLetterBound(ch.key, 0)
	for {
		op := &deadOperation{pending: newPending(0), channel: ch, act: act}
		if from, err = s.collectDead(op, from, end, wanted); err != nil || len(op.entries) == 0 {
			return n, err
		}
		if err := s.committer.submitAndWait(ctx, op); err != nil {
			return n, err
		}
		n += op.acted
	}
}

// collectDead fills an operation with wanted dead letters between two keys, and
// returns the key after the last. Each operation has a reading of its own,
// so that the space of what the one before it deleted can be freed.
func (s *Inbox) collectDead(op *deadOperation, from, end []byte, wanted func(event.ID) bool) (next []byte, err error) {
	for entry, err := range s.deadEntries(op.channel, from, end) {
		if err != nil {
			return nil, err
		}
		from = append(slices.Clone(entry.Key), 0)
		if !wanted(entry.Letter.Event.ID) {
			continue
		}
		op.entries = append(op.entries, entry)
		op.size += 256 + len(entry.Record.Event.Body)
		if len(op.entries) == deadBatch || op.size > maxBatchBytes {
			break
		}
	}
	return from, nil
}

// deadOperation is the operation that ends dead letters.
type deadOperation struct {
	pending
	channel *channel
	entries []layout.DeadEntry
	act     deadAction
	acted   int
}

func (*deadOperation) reads() bool { return true }

func (o *deadOperation) apply(tx *transaction) error {
	left := o.entries[:0]
	for _, entry := range o.entries {
		_, found, err := layout.Get(tx.reader, entry.Key)
		if err != nil {
			return err
		}
		if found { // no other call was faster
			left = append(left, entry)
		}
	}
	return o.end(tx, left)
}

func (o *deadOperation) end(tx *transaction, entries []layout.DeadEntry) error {
	for _, entry := range entries {
		if err := o.act(tx, o.channel, entry); err != nil {
			return err
		}
		if err := tx.Delete(entry.Key, nil); err != nil {
			return err
		}
		o.channel.deadLetters.Add(-1)
		o.acted++
	}
	tx.changed[o.channel] = struct{}{}
	return nil
}

// deadAction is what happens to a dead letter before it is removed.
type deadAction func(*transaction, *channel, layout.DeadEntry) error

func dropDead(*transaction, *channel, layout.DeadEntry) error { return nil }

// redriveDead puts the event at the end of its channel with a fresh clock.
func redriveDead(tx *transaction, ch *channel, entry layout.DeadEntry) error {
	if tx.full != nil {
		return tx.full
	}
	record := entry.Record
	record.AcceptedAt, record.AcceptedTime, record.PausedBefore = tx.now, tx.time, ch.pausedTime(tx.now)
	return tx.append(ch, record.Encode())
}

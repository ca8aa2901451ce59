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
		err := s.readDead(ch, layout.DeadLetterBound(ch.key, 0), layout.DeadLetterBound(ch.key, layout.Never), func(entry layout.DeadEntry) bool {
			return yield(entry.Letter, nil)
		})
		if err != nil {
			yield(inbox.DeadLetter{}, err)
		}
	}
}

// readDead visits a channel's dead letters in [from, end) until visit returns false.
func (s *Inbox) readDead(ch *channel, from, end []byte, visit func(layout.DeadEntry) bool) (err error) {
	if err := s.acquire(); err != nil {
		return err
	}
	defer s.release()
	for key, value := range layout.Range(s.db, from, end, &err) {
		entry, err := layout.ReadDead(ch.name, key, value)
		if err != nil || !visit(entry) {
			return err
		}
	}
	return err
}

// Redrive implements inbox.DeadLetters.
func (s *Inbox) Redrive(ctx context.Context, channel string, ids ...event.ID) (int, error) {
	return s.someDead(ctx, channel, ids, true)
}

// Drop implements inbox.DeadLetters.
func (s *Inbox) Drop(ctx context.Context, channel string, ids ...event.ID) (int, error) {
	return s.someDead(ctx, channel, ids, false)
}

// someDead redrives or drops the dead letters of the given ids, or all.
func (s *Inbox) someDead(ctx context.Context, name string, ids []event.ID, redrive bool) (int, error) {
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
	n, err := s.eachDead(ctx, ch, end, wanted, redrive)
	if err == nil {
		err = notFound(len(missing), len(ids))
	}
	return n, err
}

func notFound(missing, of int) error {
	if missing == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d ids", inbox.ErrNotFound, missing, of)
}

// deadEnd is the key behind a channel's last dead letter, or their lower end. Later deaths come behind it.
func (s *Inbox) deadEnd(ch *channel) (end []byte, err error) {
	if err := s.acquire(); err != nil {
		return nil, err
	}
	defer s.release()
	end = layout.DeadLetterBound(ch.key, 0) // a range without an end would hold those of other channels
	for key := range layout.Backward(s.db, end, layout.DeadLetterBound(ch.key, layout.Never), &err) {
		return append(slices.Clone(key), 0), nil
	}
	return end, err
}

// deadBatch dead letters at most go into one operation: enough for a cheap fsync, few enough to bound memory.
const deadBatch = 256

// eachDead redrives or drops every wanted dead letter before a key.
func (s *Inbox) eachDead(ctx context.Context, ch *channel, end []byte, wanted func(event.ID) bool, redrive bool) (n int, err error) {
	from := layout.DeadLetterBound(ch.key, 0)
	for {
		op := &deadOperation{pending: newPending(0), channel: ch, redrive: redrive}
		if from, err = s.collectDead(op, from, end, wanted); err != nil || len(op.entries) == 0 {
			return n, err
		}
		if err := s.committer.submitAndWait(ctx, op); err != nil {
			return n, err
		}
		n += op.acted
	}
}

// collectDead fills an operation with wanted dead letters in [from, end) and returns the key after the last. Each
// operation reads on its own, so that the space of deleted letters can be freed meanwhile.
func (s *Inbox) collectDead(op *deadOperation, from, end []byte, wanted func(event.ID) bool) (next []byte, err error) {
	next = from
	err = s.readDead(op.channel, from, end, func(entry layout.DeadEntry) bool {
		next = append(slices.Clone(entry.Key), 0)
		if wanted(entry.Letter.Event.ID) {
			op.entries = append(op.entries, entry)
			op.size += 256 + len(entry.Record.Event.Body)
		}
		return len(op.entries) < deadBatch && op.size <= maxBatchBytes
	})
	return next, err
}

// deadOperation is the operation that ends dead letters.
type deadOperation struct {
	pending
	channel *channel
	entries []layout.DeadEntry
	// redrive puts each event at the end of its channel with a fresh clock, before its dead letter is removed.
	redrive bool
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
	if o.redrive && len(left) > 0 && tx.full != nil {
		return tx.full
	}
	for _, entry := range left {
		if record := entry.Record; o.redrive {
			record.AcceptedAt, record.AcceptedTime, record.PausedBefore = tx.now, tx.time, o.channel.pausedTime(tx.now)
			tx.append(o.channel, record.Encode())
		}
		tx.wrote(tx.Delete(entry.Key, nil))
		o.channel.deadLetters.Add(-1)
		o.acted++
	}
	tx.changed[o.channel] = struct{}{}
	return nil
}

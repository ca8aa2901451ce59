package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

const (
	checkpointInterval = time.Second // how much claiming a restart repeats at most
	ledgerInterval     = time.Second // the age from which on damage to a write is certain to be found
	expiryInterval     = time.Minute // how often ids and dead letters are looked through for expired ones
	// bulkDelete settled events in a row are worth a range deletion: compaction drops their tables unread.
	bulkDelete      = 4096
	reclaimInterval = 5 * time.Second // how often a full store is compacted to free space
	reclaimSlice    = minReserve / 2  // the bytes that are compacted at a time, half of the least reserve
)

// maintain begins the periodic work, which goes on until ctx ends. No piece waits for another: reclaiming takes
// minutes.
func (s *Inbox) maintain(ctx context.Context) {
	for _, piece := range []struct {
		interval time.Duration
		work     func(context.Context) error
	}{
		{measureInterval, func(context.Context) error { s.space.measure(); return nil }},
		{measureInterval, s.keepTime},
		{ledgerInterval, func(context.Context) error { return s.writeLedger() }},
		{checkpointInterval, s.checkpointAll},
		{expiryInterval, s.expire},
		{reclaimInterval, s.reclaim},
	} {
		s.maintenance.Go(func() { s.every(ctx, piece.interval, piece.work) })
	}
}

// every does a piece of work again and again until ctx ends.
func (s *Inbox) every(ctx context.Context, interval time.Duration, work func(context.Context) error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := work(ctx); err != nil && ctx.Err() == nil {
			s.endIfDamaged(err)
			s.log.Error(err, "inbox maintenance failed; the inbox tries again")
		}
	}
}

// endMaintenance ends the periodic work. A clean end leaves nothing to repeat, and no time out.
func (s *Inbox) endMaintenance() {
	s.cancel()
	s.maintenance.Wait()
	ctx := context.Background() //nolint:forbidigo // Close waits for it
	if err := errors.Join(s.checkpointAll(ctx), s.storeClock(ctx)); err != nil {
		s.log.Error(err, "the last checkpoint failed; the next start reads some events again")
	}
}

func (s *Inbox) allChannels() []*channel {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.channels))
}

// checkpointAll moves each channel's low-water mark, and persists where its claiming would resume.
func (s *Inbox) checkpointAll(ctx context.Context) error {
	var errs []error
	for _, ch := range s.allChannels() {
		if err := s.raiseLow(ch); err != nil {
			errs = append(errs, err)
			continue
		}
		if resume := ch.resumeFrom(); resume != ch.resume.Load() {
			errs = append(errs, s.checkpoint(ctx, ch, resume))
		}
	}
	return errors.Join(errs...)
}

// raiseLow moves a channel's low-water mark up to its oldest pending event, if events were settled since.
func (s *Inbox) raiseLow(ch *channel) error {
	settled := ch.settled.Load()
	if settled == ch.looked {
		return nil
	}
	sequence, _, err := s.oldest(ch)
	if err != nil {
		return err
	}
	ch.low.Store(max(ch.low.Load(), sequence))
	ch.looked = settled
	return nil
}

// writeLedger brings the log's syncs since the last call to the ledger.
func (s *Inbox) writeLedger() error { return s.ledgerFailed(s.files.ledger.Write()) }

// ledgerFailed returns the error of a write of the ledger if the disk is full. After any other error it ends the
// process.
func (s *Inbox) ledgerFailed(err error) error {
	if err != nil && !engine.OutOfSpace(err) {
		s.fatal(err)
	}
	return err
}

// checkpoint persists a channel's progress.
func (s *Inbox) checkpoint(ctx context.Context, ch *channel, resume uint64) error {
	low := ch.low.Load()
	return s.committer.change(ctx, 256, func(tx *transaction) {
		ch.resume.Store(resume)
		if low >= ch.rangeDeleted+bulkDelete {
			tx.wrote(tx.DeleteRange(layout.EventKey(ch.key, ch.rangeDeleted), layout.EventKey(ch.key, low), nil))
			ch.rangeDeleted = low
		}
		tx.changed[ch] = struct{}{}
	})
}

// oldest finds the oldest pending event. If none is pending, sequence is that of the next event, and acceptedAt is
// zero.
func (s *Inbox) oldest(ch *channel) (sequence uint64, acceptedAt layout.Instant, err error) {
	durable := ch.durable.Load()
	for key, value := range layout.Range(s.db, layout.EventKey(ch.key, ch.low.Load()), layout.EventKey(ch.key, durable+1), &err) {
		record, err := layout.DecodeEvent(ch.name, value)
		return layout.SequenceOf(key), record.AcceptedAt, err
	}
	return durable + 1, 0, err
}

// expire deletes ids that left the window and dead letters past their retention.
func (s *Inbox) expire(ctx context.Context) error {
	now := s.clock.now()
	err := s.committer.change(ctx, 128, func(tx *transaction) {
		tx.keepTime = true
		s.duplicates.rotate(tx.now)
		tx.wrote(s.duplicates.expire(tx.Batch, tx.now))
	})
	for _, ch := range s.allChannels() {
		if retention := time.Duration(ch.retention.Load()); retention > 0 {
			end := layout.DeadLetterBound(ch.key, now.Add(-retention))
			_, dropErr := s.eachDead(ctx, ch, end, func(event.ID) bool { return true }, false)
			err = errors.Join(err, dropErr)
		}
	}
	return err
}

// reclaim compacts a full store below the low-water marks: compaction on its own comes to freed space late.
func (s *Inbox) reclaim(ctx context.Context) error {
	if s.space.full() == nil {
		return nil
	}
	if err := s.db.Flush(); err != nil {
		return err
	}
	ranges, err := s.compactionRanges()
	if err != nil {
		return err
	}
	for _, slice := range ranges {
		if err := s.db.Compact(ctx, slice.start, slice.end, false); err != nil {
			return err
		}
		s.space.measure()
	}
	return nil
}

// keyRange is the keys from start to end.
type keyRange struct{ start, end []byte }

// compactionRanges cuts the keys into ranges of about reclaimSlice bytes each. A compaction deletes its input only
// after its output is written: one over all keys would take the store's size again.
func (s *Inbox) compactionRanges() (ranges []keyRange, err error) {
	levels, err := s.db.SSTables()
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	tables := slices.Concat(levels...)
	slices.SortFunc(tables, func(a, b pebble.SSTableInfo) int { return bytes.Compare(a.Largest.UserKey, b.Largest.UserKey) })
	start, size := []byte{0}, uint64(0)
	for _, table := range tables {
		end := table.Largest.UserKey
		if size += table.Size; size >= reclaimSlice && bytes.Compare(start, end) < 0 {
			ranges = append(ranges, keyRange{start, end})
			start, size = end, 0
		}
	}
	return append(ranges, keyRange{start, []byte{0xff}}), nil
}

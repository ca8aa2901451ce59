package pebble

import (
	"math"
	"time"
)

// parking is the operation that gives waiting events of tracked lanes their
// pointers, so that memory can let go of them.
type parking struct {
	pending
	channel *channel
	groups  []parkedGroup
	due     time.Time
}

type parkedGroup struct {
	lane      *lane
	head      uint64
	sequences []uint64
}

// park hands what waits in tracked lanes to the committer, one operation at a
// time. The caller holds the channel's mu.
func (s *Inbox) park(ch *channel) {
	if ch.parking > 0 || len(ch.unparked) == 0 {
		return
	}
	op := &parking{pending: newPending(0), channel: ch}
	lowest := uint64(math.MaxUint64)
	for _, l := range ch.unparked {
		if len(l.waiting) == 0 {
			continue
		}
		op.groups = append(op.groups, parkedGroup{l, l.head, l.waiting})
		op.size += 48 * len(l.waiting)
		lowest = min(lowest, l.head, l.waiting[0])
		l.parking, l.waiting = true, nil
	}
	ch.unparked = nil
	if len(op.groups) == 0 {
		return
	}
	if err := s.committer.submit(op); err != nil {
		return // closing: the next start reads these events again
	}
	ch.parking = max(lowest, 1)
	s.parks.Go(func() { op.finish(<-op.done) })
}

func (p *parking) finish(err error) {
	ch := p.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.parking = 0
	for _, g := range p.groups {
		g.lane.parking = false
		if err != nil {
			g.lane.waiting = append(g.sequences, g.lane.waiting...)
			ch.unparked = append(ch.unparked, g.lane)
		}
		ch.forget(g.lane)
	}
	ch.timerSet(p.due)
}

func (*parking) reads() bool { return true }

func (p *parking) apply(tx *transaction) error {
	p.due = tx.now
	for _, g := range p.groups {
		if err := tx.parkGroup(p.channel, g); err != nil {
			return err
		}
	}
	return nil
}

func (tx *transaction) parkGroup(ch *channel, g parkedGroup) error {
	record, tracked, err := ch.lane(tx.reader, g.lane.key)
	if err != nil {
		return err
	}
	if !tracked {
		if record, err = tx.newlyTracked(ch, g); err != nil {
			return err
		}
	}
	for _, sequence := range g.sequences {
		if sequence <= record.head {
			continue // the head itself, met again after a restart
		}
		if err := tx.Set(pointerKey(ch.key, g.lane.key, sequence), nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// newlyTracked writes a lane's record. Its head is the event that was claimed
// when the operation was made, unless that was settled meanwhile.
func (tx *transaction) newlyTracked(ch *channel, g parkedGroup) (laneRecord, error) {
	record := laneRecord{head: g.head, due: tx.now}
	_, pending, err := get(tx.reader, eventKey(ch.key, g.head))
	if err != nil {
		return record, err
	}
	if !pending {
		record.head = g.sequences[0]
	}
	ch.tracked.Add(1)
	return record, tx.track(ch, g.lane.key, record)
}

// track writes a lane's record and its timer.
func (tx *transaction) track(ch *channel, key laneKey, record laneRecord) error {
	if err := tx.Set(laneRecordKey(ch.key, key), record.encode(), nil); err != nil {
		return err
	}
	return tx.Set(timerKey(ch.key, record.due, key), nil, nil)
}

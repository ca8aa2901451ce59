package pebble

import (
	"math"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// parking is the operation that writes pointers to waiting events of tracked lanes, so that memory can let go of them.
type parking struct {
	pending
	channel *channel
	groups  []parkedGroup
	due     layout.Instant
}

type parkedGroup struct {
	lane      *lane
	head      uint64
	sequences []uint64
}

// parkRetryWait is how long after a failed park operation the next one is made.
const parkRetryWait = time.Second

// park hands the waiting events of tracked lanes to the committer, one operation at a time. The caller holds ch.mu.
func (s *Inbox) park(ch *channel, now layout.Instant) {
	if ch.parking > 0 || len(ch.unparked) == 0 || now < ch.parkFrom {
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
	s.late.Go(func() {
		err := <-op.done
		if err != nil {
			s.endIfDamaged(err)
			s.log.Error(err, "waiting events of busy conversations cannot be moved to disk; the store tries again", "channel", ch.name)
		}
		op.finish(err)
	})
}

func (p *parking) finish(err error) {
	ch := p.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.parking = 0
	if err != nil {
		ch.parkFrom = p.due.Add(parkRetryWait)
	}
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
	// All reads come first: an operation that fails must have added nothing.
	records := make([]layout.LaneRecord, len(p.groups))
	for i, g := range p.groups {
		var err error
		if records[i], err = tx.parkedUnder(p.channel, g); err != nil {
			return err
		}
	}
	for i, g := range p.groups {
		tx.parkGroup(p.channel, g, records[i])
	}
	return nil
}

// parkedUnder is the record under which a group's events get their pointers: the lane's own, or a new one, which is not
// due yet. The head of a new one is the group's claimed event, or its next pending one.
func (tx *transaction) parkedUnder(ch *channel, g parkedGroup) (layout.LaneRecord, error) {
	record, tracked, err := ch.lane(tx.reader, g.lane.key)
	if tracked || err != nil {
		return record, err
	}
	for _, head := range append([]uint64{g.head}, g.sequences...) {
		_, pending, err := layout.Get(tx.reader, layout.EventKey(ch.key, head))
		if pending || err != nil {
			return layout.LaneRecord{Head: head}, err
		}
	}
	return layout.LaneRecord{}, nil
}

func (tx *transaction) parkGroup(ch *channel, g parkedGroup, record layout.LaneRecord) {
	if record.Head == 0 {
		return // nothing of it is pending any more
	}
	if record.Due == 0 {
		record.Due = tx.now
		ch.tracked.Add(1)
		tx.track(ch, g.lane.key, record)
	}
	for _, sequence := range g.sequences {
		if sequence > record.Head { // else it is the head itself, met again after a restart
			tx.wrote(tx.Set(layout.PointerKey(ch.key, g.lane.key, sequence), nil, nil))
		}
	}
}

func (tx *transaction) track(ch *channel, key layout.LaneKey, record layout.LaneRecord) {
	tx.wrote(tx.Set(layout.LaneRecordKey(ch.key, key), record.Encode(), nil))
	tx.wrote(tx.Set(layout.TimerKey(ch.key, record.Due, key), nil, nil))
}

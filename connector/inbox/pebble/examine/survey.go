package examine

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// survey reads a stopped store record by record.
type survey struct {
	*stopped
	// yield receives the events of an export; it is nil in a check, which judges the ties between records as well.
	yield    func(Exported) error
	channels map[layout.ChannelKey]*surveyed
	attempts map[head]int   // those of the events that were tried and failed
	age      layout.Instant // the last reading of the store's clock, zero if it is lost
	unread   bool           // a record that was looked up by its key could not be read, which was reported
}

// surveyed is a survey's knowledge of a channel.
type surveyed struct {
	ChannelSummary
	record *layout.ChannelRecord // nil if the channel's own record cannot be read
	newest uint64                // the highest sequence of a pending event
	// undecodedEvents and undecodedDead count records that are there but cannot be decoded.
	undecodedEvents, undecodedDead int64
}

// head names the event that a tracked lane tries next.
type head struct {
	channel  layout.ChannelKey
	sequence uint64
}

// eachKey visits the records below a prefix whose keys are well formed.
func (s *survey) eachKey(prefix byte, visit func(c *surveyed, key, value []byte)) {
	s.each(prefix, func(key, value []byte) {
		if want := layout.KeyLengths[prefix]; len(key) != want {
			s.damaged(fmt.Sprintf("key %x", key), fmt.Errorf("%w: %d bytes long, want %d", layout.ErrRecord, len(key), want))
			return
		}
		at := 1
		if prefix == layout.PrefixDuplicate {
			at += 4
		}
		visit(s.channel(layout.ChannelKey(key[at:])), key, value)
	})
}

// channel returns the knowledge of a channel. A channel whose record is lost is named by its key.
func (s *survey) channel(key layout.ChannelKey) *surveyed {
	c := s.channels[key]
	if c == nil {
		c = &surveyed{}
		c.Channel = "unknown-" + hex.EncodeToString(key[:])
		s.channels[key] = c
	}
	return c
}

// damaged reports a record that its key does not fit, or that cannot be decoded.
func (s *survey) damaged(where string, err error) {
	s.found(where, err.Error(), "the connector ends when it meets this record")
}

func (c *surveyed) where(kind string, sequence uint64) string {
	return fmt.Sprintf("channel %s, %s %d", c.Channel, kind, sequence)
}

func (s *survey) readChannels() {
	s.each(layout.PrefixChannel, func(key, value []byte) {
		record, err := layout.DecodeChannel(value)
		if err == nil && !bytes.Equal(key, layout.ChannelRecordKey(layout.ChannelKeyOf(record.Name))) {
			err = fmt.Errorf("%w: it belongs to another channel", layout.ErrRecord)
		}
		if err != nil {
			s.damaged(fmt.Sprintf("channel record %x", key), err)
			return
		}
		c := s.channel(layout.ChannelKeyOf(record.Name))
		c.Channel, c.record = record.Name, &record
	})
}

// clock reads the store's clock, without which the connector does not start.
func (s *survey) clock() {
	const where = "reading of the store's clock"
	missing := true
	s.each(layout.PrefixClock, func(_, value []byte) {
		missing = false
		reading, err := layout.DecodeClock(value)
		if err != nil {
			s.damaged(where, err)
			return
		}
		s.age = reading.At
	})
	if missing && s.err == nil {
		s.damaged(where, layout.ErrNoClock)
	}
}

func (s *survey) lanes() {
	s.eachKey(layout.PrefixLane, func(c *surveyed, key, value []byte) {
		record, err := layout.DecodeLane(value)
		where := c.where("tracked lane with head", record.Head)
		if err != nil {
			s.damaged(c.where("lane record for event", record.Head), err)
			return
		}
		channel := layout.ChannelKeyAt(key)
		s.attempts[head{channel, record.Head}] = record.Attempts
		s.require(layout.TimerKey(channel, record.Due, layout.LaneKeyAt(key)), where, "its timer is missing", meaningStuck)
		s.require(layout.EventKey(channel, record.Head), where, "its event is missing", meaningEnds)
	})
}

// events reads the pending events, channel by channel in the order of their acceptance.
func (s *survey) events() {
	s.eachKey(layout.PrefixEvent, func(c *surveyed, key, value []byte) {
		sequence := layout.SequenceOf(key)
		if s.salvaged != nil && c.record != nil && sequence < c.record.Low {
			return // delivered before; only its deletion is not known
		}
		c.newest = max(c.newest, sequence)
		record, err := layout.DecodeEvent(c.Channel, value)
		if err != nil {
			c.undecodedEvents++
			s.damaged(c.where("event", sequence), err)
			return
		}
		c.Pending++
		if c.OldestPending.IsZero() {
			c.OldestPending = record.AcceptedTime
		}
		c.NewestPending = record.AcceptedTime
		if s.yield == nil {
			s.isFound(c, sequence, record)
			return
		}
		s.err = s.yield(Exported{DeadLetter: inbox.DeadLetter{
			Event: record.Event, AcceptedAt: record.AcceptedTime, Attempts: s.attempts[head{layout.ChannelKeyOf(c.Channel), sequence}],
		}})
	})
}

// deadLetters reads the dead letters, the oldest of each channel first.
func (s *survey) deadLetters() {
	s.eachKey(layout.PrefixDeadLetter, func(c *surveyed, key, value []byte) {
		entry, err := layout.ReadDead(c.Channel, key, value)
		where := c.where("dead letter", layout.SequenceOf(key))
		if err != nil {
			c.undecodedDead++
			s.damaged(where, err)
			return
		}
		c.DeadLetters++
		s.notAhead(where, max(entry.Record.AcceptedAt, layout.DiedAt(key)))
		if s.yield != nil {
			s.err = s.yield(Exported{Dead: true, DeadLetter: entry.Letter})
		}
	})
}

// rest reads the records that an export does not need, so that it reports all that the connector would not start with.
func (s *survey) rest() {
	for _, prefix := range []byte{layout.PrefixSchema, layout.PrefixDuplicate, layout.PrefixTimer, layout.PrefixPointer} {
		s.each(prefix, func(_, _ []byte) {})
	}
}

// tables verifies the parts of tables that only look-ups of keys read, such as filters.
func (s *survey) tables() {
	if s.db == nil || s.err != nil {
		return // damage was met before, and reported
	}
	levels, err := s.db.SSTables()
	if err != nil {
		s.err = fmt.Errorf("list the tables: %w", err)
		return
	}
	for _, info := range slices.Concat(levels...) {
		name := filepath.Join(s.path, info.BackingSSTNum.String()+".sst")
		if err := verifyTable(s.ctx, name); err != nil {
			s.found(name, err.Error(), "the connector ends when it looks up a record here; every record can be read")
		}
		if s.err = s.ctx.Err(); s.err != nil {
			return
		}
	}
}

// compareCounts compares the channels' counters with the records found. Records that were lost whole leave no other
// trace.
func (s *survey) compareCounts() {
	for _, c := range s.sorted() {
		switch {
		case s.err != nil:
			return
		case c.record == nil:
			s.found("channel "+c.Channel, "the channel's own record is lost, and with it its name",
				"its events are whole, but the connector does not find them")
			continue
		}
		pending := int64(max(c.record.Last, c.newest) - c.record.Settled)
		s.compareCount(c, "pending events", pending, c.Pending+c.undecodedEvents)
		s.compareCount(c, "dead letters", c.record.DeadLetters, c.DeadLetters+c.undecodedDead)
	}
}

func (s *survey) compareCount(c *surveyed, what string, counted, found int64) {
	f := Finding{Where: "channel " + c.Channel, What: fmt.Sprintf("%d %s are counted, %d were found", counted, what, found)}
	switch {
	case counted == found:
		return
	case s.db != nil:
		f.Meaning, f.Remedy = "status and metrics show a wrong number; no event is affected", remedyReport
	case counted > found:
		f.Meaning = fmt.Sprintf("%d of them cannot be read", counted-found)
		f.Remedy = "restore the files from a copy if there is one; else the sender has to send them again"
	default:
		f.Meaning = fmt.Sprintf("%d of them were delivered or dropped before; which ones cannot be read", found-counted)
		f.Remedy = "let the receiver tell them by their ids"
	}
	s.observe.Finding(f)
}

func (s *survey) sorted() []*surveyed {
	return slices.SortedFunc(maps.Values(s.channels), func(a, b *surveyed) int { return cmp.Compare(a.Channel, b.Channel) })
}

func (s *survey) summaries() []ChannelSummary {
	all := make([]ChannelSummary, 0, len(s.channels))
	for _, c := range s.sorted() {
		all = append(all, c.ChannelSummary)
	}
	return all
}

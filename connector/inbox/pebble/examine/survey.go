package examine

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// ChannelSummary is what a stopped store holds of one channel.
type ChannelSummary struct {
	Channel           string `json:"channel"`
	Pending           int64  `json:"pending"`
	DeadLetters       int64  `json:"deadLetters"`
	DeduplicationKeys int64  `json:"deduplicationKeys"`
	// OldestPending and NewestPending are when the first and the last of the
	// pending events were accepted; zero if none is pending.
	OldestPending time.Time `json:"oldestPending,omitzero"`
	NewestPending time.Time `json:"newestPending,omitzero"`
}

// surveyed is what a survey knows of a channel.
type surveyed struct {
	ChannelSummary
	// record is nil if the channel's own record cannot be read.
	record *layout.ChannelRecord
	// newest is the highest sequence of a pending event.
	newest uint64
	// undecoded counts records that are there and cannot be understood.
	undecodedEvents, undecodedDead int64
}

// head names the event that a tracked lane tries next.
type head struct {
	channel  layout.ChannelKey
	sequence uint64
}

// survey reads a stopped store record by record.
type survey struct {
	*stopped
	channels map[layout.ChannelKey]*surveyed
	// attempts of the events that were tried and failed.
	attempts map[head]int
	// age is the last reading of the store's clock, zero if it is lost.
	age layout.Instant
}

func newSurvey(s *stopped) *survey {
	return &survey{stopped: s, channels: make(map[layout.ChannelKey]*surveyed), attempts: make(map[head]int)}
}

// eachKey visits the records below a prefix whose keys are well formed.
func (s *survey) eachKey(prefix byte, visit func(c *surveyed, key, value []byte) error) error {
	return s.each(prefix, func(key, value []byte) error {
		if len(key) != layout.KeyLengths[prefix] {
			s.damaged(fmt.Sprintf("key %x", key),
				fmt.Errorf("%w: %d bytes long, want %d", layout.ErrRecord, len(key), layout.KeyLengths[prefix]))
			return nil
		}
		at := 1
		if prefix == layout.PrefixDuplicate {
			at += 4
		}
		return visit(s.channel(layout.ChannelKey(key[at:])), key, value)
	})
}

// channel returns what is known of a channel; one whose record is lost goes by
// its key.
func (s *survey) channel(key layout.ChannelKey) *surveyed {
	c := s.channels[key]
	if c == nil {
		c = &surveyed{}
		c.Channel = "unknown-" + hex.EncodeToString(key[:])
		s.channels[key] = c
	}
	return c
}

// damaged reports a record that is not what its key promises.
func (s *survey) damaged(where string, err error) {
	s.observe.Finding(Finding{
		Where: where, What: err.Error(),
		Meaning: "the connector ends when it meets this record",
		Remedy:  remedyReplace,
	})
}

// where names a record for a person.
func (c *surveyed) where(kind string, sequence uint64) string {
	return fmt.Sprintf("channel %s, %s %d", c.Channel, kind, sequence)
}

// readChannels reads the channels' own records.
func (s *survey) readChannels() error {
	return s.each(layout.PrefixChannel, func(key, value []byte) error {
		record, err := layout.DecodeChannel(value)
		if err == nil && !bytes.Equal(key, layout.ChannelRecordKey(layout.ChannelKeyOf(record.Name))) {
			err = fmt.Errorf("%w: it belongs to another channel", layout.ErrRecord)
		}
		if err != nil {
			s.damaged(fmt.Sprintf("channel record %x", key), err)
			return nil
		}
		c := s.channel(layout.ChannelKeyOf(record.Name))
		c.Channel, c.record = record.Name, &record
		return nil
	})
}

// readClock reads the store's clock, without which the connector does not start.
func (s *survey) readClock() error {
	const where = "reading of the store's clock"
	found := false
	err := s.each(layout.PrefixClock, func(_, value []byte) error {
		found = true
		reading, err := layout.DecodeClock(value)
		if err != nil {
			s.damaged(where, err)
			return nil
		}
		s.age = reading.At
		return nil
	})
	if err == nil && !found {
		s.damaged(where, layout.ErrNoClock)
	}
	return err
}

// readLanes reads how often the heads of tracked lanes were tried.
func (s *survey) readLanes(visit func(c *surveyed, key []byte, record layout.LaneRecord) error) error {
	return s.eachKey(layout.PrefixLane, func(c *surveyed, key, value []byte) error {
		record, err := layout.DecodeLane(value)
		if err != nil {
			s.damaged(c.where("lane record for event", record.Head), err)
			return nil
		}
		s.attempts[head{layout.ChannelKeyAt(key), record.Head}] = record.Attempts
		return visit(c, key, record)
	})
}

// readEvents reads pending events in the order of their acceptance, channel by
// channel.
func (s *survey) readEvents(visit func(c *surveyed, sequence uint64, record layout.EventRecord) error) error {
	return s.eachKey(layout.PrefixEvent, func(c *surveyed, key, value []byte) error {
		sequence := layout.SequenceOf(key)
		if s.salvaged != nil && c.record != nil && sequence < c.record.Low {
			return nil // delivered before; only its deletion is not known
		}
		c.newest = max(c.newest, sequence)
		record, err := layout.DecodeEvent(c.Channel, value)
		if err != nil {
			c.undecodedEvents++
			s.damaged(c.where("event", sequence), err)
			return nil
		}
		c.Pending++
		if c.OldestPending.IsZero() {
			c.OldestPending = record.AcceptedTime
		}
		c.NewestPending = record.AcceptedTime
		return visit(c, sequence, record)
	})
}

// readDeadLetters reads dead letters, the oldest of each channel first.
func (s *survey) readDeadLetters(visit func(entry layout.DeadEntry) error) error {
	return s.eachKey(layout.PrefixDeadLetter, func(c *surveyed, key, value []byte) error {
		entry, err := layout.ReadDead(c.Channel, key, value)
		if err != nil {
			c.undecodedDead++
			s.damaged(c.where("dead letter", layout.SequenceOf(key)), err)
			return nil
		}
		c.DeadLetters++
		return visit(entry)
	})
}

// readRest reads the records that an export does not need, so that it reports
// whatever the connector would not start with.
func (s *survey) readRest() error {
	if err := s.readClock(); err != nil {
		return err
	}
	for _, prefix := range []byte{layout.PrefixSchema, layout.PrefixDuplicate, layout.PrefixTimer, layout.PrefixPointer} {
		if err := s.each(prefix, func(_, _ []byte) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// compareCounts reports where the channels' counters differ from what was read:
// the only trace of records that were lost whole.
func (s *survey) compareCounts() {
	for _, c := range s.sorted() {
		if c.record == nil {
			s.observe.Finding(Finding{
				Where: "channel " + c.Channel, What: "the channel's own record is lost, and with it its name",
				Meaning: "its events are whole, but the connector does not find them",
				Remedy:  remedyReplace,
			})
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

// sorted returns the channels by name.
func (s *survey) sorted() []*surveyed {
	all := make([]*surveyed, 0, len(s.channels))
	for _, c := range s.channels {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *surveyed) int { return strings.Compare(a.Channel, b.Channel) })
	return all
}

func (s *survey) summaries() []ChannelSummary {
	all := make([]ChannelSummary, 0, len(s.channels))
	for _, c := range s.sorted() {
		all = append(all, c.ChannelSummary)
	}
	return all
}

package pebble

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
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
	record *channelRecord
	// newest is the highest sequence of a pending event.
	newest uint64
	// undecoded counts records that are there and cannot be understood.
	undecodedEvents, undecodedDead int64
}

// head names the event that a tracked lane tries next.
type head struct {
	channel  channelKey
	sequence uint64
}

// survey reads a stopped store record by record.
type survey struct {
	*stopped
	channels map[channelKey]*surveyed
	// attempts of the events that were tried and failed.
	attempts map[head]int
	// age is the last reading of the store's clock, zero if it is lost.
	age instant
}

func newSurvey(s *stopped) *survey {
	return &survey{stopped: s, channels: make(map[channelKey]*surveyed), attempts: make(map[head]int)}
}

// keyLengths are those of the layouts in doc.go.
var keyLengths = map[byte]int{
	prefixSchema: 1, prefixClock: 1, prefixChannel: 9, prefixEvent: 17, prefixDuplicate: 45,
	prefixLane: 25, prefixTimer: 33, prefixPointer: 33, prefixDeadLetter: 25,
}

// eachKey visits the records below a prefix whose keys are well formed.
func (s *survey) eachKey(prefix byte, visit func(c *surveyed, key, value []byte) error) error {
	return s.each(prefix, func(key, value []byte) error {
		if len(key) != keyLengths[prefix] {
			s.damaged(fmt.Sprintf("key %x", key), fmt.Errorf("%w: %d bytes long, want %d", errRecord, len(key), keyLengths[prefix]))
			return nil
		}
		at := 1
		if prefix == prefixDuplicate {
			at += 4
		}
		return visit(s.channel(channelKey(key[at:])), key, value)
	})
}

// channel returns what is known of a channel; one whose record is lost goes by
// its key.
func (s *survey) channel(key channelKey) *surveyed {
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
	return s.each(prefixChannel, func(key, value []byte) error {
		record, err := decodeChannel(value)
		if err == nil && !bytes.Equal(key, channelRecordKey(channelKeyOf(record.name))) {
			err = fmt.Errorf("%w: it belongs to another channel", errRecord)
		}
		if err != nil {
			s.damaged(fmt.Sprintf("channel record %x", key), err)
			return nil
		}
		c := s.channel(channelKeyOf(record.name))
		c.Channel, c.record = record.name, &record
		return nil
	})
}

// readClock reads the store's clock, without which the connector does not start.
func (s *survey) readClock() error {
	const where = "reading of the store's clock"
	found := false
	err := s.each(prefixClock, func(_, value []byte) error {
		found = true
		reading, err := decodeClock(value)
		if err != nil {
			s.damaged(where, err)
			return nil
		}
		s.age = reading.at
		return nil
	})
	if err == nil && !found {
		s.damaged(where, errNoClock)
	}
	return err
}

// readLanes reads how often the heads of tracked lanes were tried.
func (s *survey) readLanes(visit func(c *surveyed, key []byte, record laneRecord) error) error {
	return s.eachKey(prefixLane, func(c *surveyed, key, value []byte) error {
		record, err := decodeLane(value)
		if err != nil {
			s.damaged(c.where("lane record for event", record.head), err)
			return nil
		}
		s.attempts[head{channelKeyAt(key), record.head}] = record.attempts
		return visit(c, key, record)
	})
}

// readEvents reads pending events in the order of their acceptance, channel by
// channel.
func (s *survey) readEvents(visit func(c *surveyed, sequence uint64, record eventRecord) error) error {
	return s.eachKey(prefixEvent, func(c *surveyed, key, value []byte) error {
		sequence := sequenceOf(key)
		if s.salvaged != nil && c.record != nil && sequence < c.record.low {
			return nil // delivered before; only its deletion is not known
		}
		c.newest = max(c.newest, sequence)
		record, err := decodeEvent(c.Channel, value)
		if err != nil {
			c.undecodedEvents++
			s.damaged(c.where("event", sequence), err)
			return nil
		}
		c.Pending++
		if c.OldestPending.IsZero() {
			c.OldestPending = record.acceptedTime
		}
		c.NewestPending = record.acceptedTime
		return visit(c, sequence, record)
	})
}

// readDeadLetters reads dead letters, the oldest of each channel first.
func (s *survey) readDeadLetters(visit func(entry deadEntry) error) error {
	return s.eachKey(prefixDeadLetter, func(c *surveyed, key, value []byte) error {
		entry, err := readDead(c.Channel, key, value)
		if err != nil {
			c.undecodedDead++
			s.damaged(c.where("dead letter", sequenceOf(key)), err)
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
	for _, prefix := range []byte{prefixSchema, prefixDuplicate, prefixTimer, prefixPointer} {
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
		pending := int64(max(c.record.last, c.newest) - c.record.settled)
		s.compareCount(c, "pending events", pending, c.Pending+c.undecodedEvents)
		s.compareCount(c, "dead letters", c.record.deadLetters, c.DeadLetters+c.undecodedDead)
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

// channelKeyAt reads the channel of every key but a de-duplication key.
func channelKeyAt(key []byte) channelKey { return channelKey(key[1:]) }

// laneKeyAt reads the lane of a lane record's or a pointer's key.
func laneKeyAt(key []byte) laneKey { return laneKey(key[1+len(channelKey{}):]) }

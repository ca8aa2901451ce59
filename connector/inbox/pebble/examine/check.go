package examine

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// The meanings of broken ties between records.
const (
	meaningEnds  = "the connector ends when it comes to this conversation"
	meaningStuck = "the conversation is not delivered, nor what follows in it"
)

// judges reports whether the ties between records are judged: only in a check, and only while Pebble reads all records.
// Among the records that a salvage finds, some are missing anyhow.
func (s *survey) judges() bool { return s.yield == nil && s.db != nil && !s.unread }

func (s *survey) notRead(err error) {
	s.unread = true
	s.damaged("record looked up by its key", err)
}

// require reports that a record is missing which another one relies on.
func (s *survey) require(key []byte, where, what, meaning string) {
	if !s.judges() {
		return
	}
	switch _, found, err := layout.Get(s.db, key); {
	case err != nil:
		s.notRead(err)
	case !found:
		s.found(where, what, meaning)
	}
}

// laneOf reads the lane record that another record relies on. A damaged one was reported with the lanes.
func (s *survey) laneOf(key []byte, lane layout.LaneKey, where, meaning string) (record layout.LaneRecord, found bool) {
	record, found, err := layout.LaneOf(s.db, layout.ChannelKeyAt(key), lane)
	switch {
	case errors.Is(err, layout.ErrRecord):
		return layout.LaneRecord{}, false
	case err != nil:
		s.notRead(err)
	case !found:
		s.found(where, "its lane record is missing", meaning)
	}
	return record, found
}

// notAhead reports a record from a time that the store has not reached.
func (s *survey) notAhead(where string, at layout.Instant) {
	if s.judges() && s.age > 0 && at > s.age {
		s.found(where, fmt.Sprintf("it is of %s, and the store's clock shows %s", at, s.age),
			"it is kept for too long, and the age of the oldest event is wrong")
	}
}

func (s *survey) schema() {
	missing := true
	s.each(layout.PrefixSchema, func(_, value []byte) {
		missing = false
		if len(value) != 1 || value[0] > layout.SchemaVersion {
			s.found("schema version", fmt.Sprintf("%x, this release knows %d", value, layout.SchemaVersion),
				"a newer release wrote the store: use that one")
		}
	})
	if missing && s.err == nil {
		s.found("schema version", "it is missing", "the store is empty, or was never an inbox")
	}
}

func (s *survey) duplicates() {
	s.eachKey(layout.PrefixDuplicate, func(c *surveyed, key, value []byte) {
		c.DeduplicationKeys++
		acceptedAt, err := layout.DecodeAcceptedAt(value)
		where := fmt.Sprintf("channel %s, de-duplication key %x", c.Channel, key[len(key)-32:])
		if err != nil {
			s.damaged(where, err)
		}
		s.notAhead(where, acceptedAt)
	})
}

func (s *survey) timers() {
	s.eachKey(layout.PrefixTimer, func(c *surveyed, key, _ []byte) {
		if !s.judges() {
			return
		}
		due, lane := layout.TimerOf(key)
		where := fmt.Sprintf("channel %s, timer due at %s", c.Channel, due)
		if record, found := s.laneOf(key, lane, where, meaningEnds); found && record.Due != due {
			s.found(where, "its lane is due at another time", "an attempt is made too early")
		}
	})
}

// isFound checks that a restart finds an event: at or after the cursor, or through its lane.
func (s *survey) isFound(c *surveyed, sequence uint64, record layout.EventRecord) {
	if c.record == nil || !s.judges() {
		return
	}
	where := c.where("event", sequence)
	s.notAhead(where, record.AcceptedAt)
	if sequence < c.record.Low {
		s.found(where, "it lies below the channel's low-water mark", meaningStuck)
		return
	}
	channel := layout.ChannelKeyOf(c.Channel)
	if _, isHead := s.attempts[head{channel, sequence}]; isHead || sequence >= c.record.Cursor {
		return
	}
	s.require(layout.PointerKey(channel, layout.LaneKeyOf(record.Lane()), sequence), where,
		"it lies before the channel's cursor and its lane does not point to it", meaningStuck)
}

func (s *survey) pointers() {
	var lane []byte // the pointers of one lane come one after the other
	var record layout.LaneRecord
	s.eachKey(layout.PrefixPointer, func(c *surveyed, key, _ []byte) {
		if !s.judges() {
			return
		}
		sequence := layout.SequenceOf(key)
		where := c.where("pointer to event", sequence)
		if of := key[:len(key)-8]; !bytes.Equal(of, lane) {
			lane = bytes.Clone(of)
			record, _ = s.laneOf(key, layout.LaneKeyAt(key), where, meaningStuck)
		}
		if sequence <= record.Head {
			s.found(where, fmt.Sprintf("its lane is already at event %d", record.Head), meaningStuck)
		}
		s.require(layout.EventKey(layout.ChannelKeyAt(key), sequence), where, "its event is missing", meaningEnds)
	})
}

// unknown reports the keys between the known prefixes.
func (s *survey) unknown() {
	from := byte(0)
	for _, known := range append(slices.Sorted(maps.Keys(layout.KeyLengths)), 0xff) {
		if from < known {
			s.between([]byte{from}, []byte{known}, func(key, _ []byte) {
				s.found(fmt.Sprintf("key %x", key), "no release that this one knows writes such a key",
					"another program or a newer release wrote into the store")
			})
		}
		from = known + 1
	}
}

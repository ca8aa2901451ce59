package examine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// Check reads the whole stopped store at path, every checksum in it included,
// and compares what it holds with what package pebble promises of its records.
// It reports to observe what is wrong; a store without findings is sound. The
// folder is not changed.
//
// The error is the context's, or says why nothing could be read, such as
// ErrInUse.
func Check(ctx context.Context, path string, observe Observer) (channels []ChannelSummary, err error) {
	opened, err := openStopped(ctx, path, observe)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, opened.close()) }()
	c := &checking{survey: newSurvey(opened)}
	for _, step := range []func() error{
		c.schema, c.readClock, c.readChannels, c.duplicates, c.lanes, c.events, c.timers, c.pointers, c.deadLetters, c.unknown,
		c.verifyTables,
	} {
		if err := step(); err != nil {
			return c.summaries(), err
		}
	}
	c.compareCounts()
	return c.summaries(), nil
}

// checking adds to a survey what ties records together. That is judged only
// while Pebble reads them all: in what a salvage finds, some are missing anyhow.
type checking struct {
	*survey
	// unread: one of the looked-up records could not be read, which was
	// reported.
	unread bool
}

// whole reports whether ties can be judged.
func (c *checking) whole() bool { return c.db != nil && !c.unread }

// notRead ends the judging of ties.
func (c *checking) notRead(err error) {
	c.unread = true
	c.damaged("record looked up by its key", err)
}

// broken reports records that do not fit together.
func (c *checking) broken(where, what, meaning string) {
	c.observe.Finding(Finding{Where: where, What: what, Meaning: meaning, Remedy: remedyReplace})
}

// The meanings of broken ties between records.
const (
	meaningEnds  = "the connector ends when it comes to this conversation"
	meaningStuck = "the conversation is not delivered, nor what follows in it"
)

// require reports that a record is missing which another one relies on.
func (c *checking) require(key []byte, where, what, meaning string) {
	if !c.whole() {
		return
	}
	switch _, found, err := layout.Get(c.db, key); {
	case err != nil:
		c.notRead(err)
	case !found:
		c.broken(where, what, meaning)
	}
}

// notAhead reports a record from a time that the store has not reached.
func (c *checking) notAhead(where string, at layout.Instant) {
	if c.whole() && c.age > 0 && at > c.age {
		c.broken(where, fmt.Sprintf("it is of %s, and the store's clock shows %s", at, c.age),
			"it is kept for too long, and the age of the oldest event is wrong")
	}
}

func (c *checking) schema() error {
	found := false
	err := c.each(layout.PrefixSchema, func(_, value []byte) error {
		found = true
		if len(value) != 1 || value[0] > layout.SchemaVersion {
			c.broken("schema version", fmt.Sprintf("%x, this release knows %d", value, layout.SchemaVersion),
				"a newer release wrote the store: use that one")
		}
		return nil
	})
	if err == nil && !found {
		c.broken("schema version", "it is missing", "the store is empty, or was never an inbox")
	}
	return err
}

func (c *checking) duplicates() error {
	return c.eachKey(layout.PrefixDuplicate, func(ch *surveyed, key, value []byte) error {
		ch.DeduplicationKeys++
		acceptedAt, err := layout.DecodeAcceptedAt(value)
		where := fmt.Sprintf("channel %s, de-duplication key %x", ch.Channel, key[len(key)-32:])
		if err != nil {
			c.damaged(where, err)
		}
		c.notAhead(where, acceptedAt)
		return nil
	})
}

func (c *checking) lanes() error {
	return c.readLanes(func(ch *surveyed, key []byte, record layout.LaneRecord) error {
		channel, lane := layout.ChannelKeyAt(key), layout.LaneKeyAt(key)
		where := ch.where("tracked lane with head", record.Head)
		c.require(layout.TimerKey(channel, record.Due, lane), where, "its timer is missing", meaningStuck)
		c.require(layout.EventKey(channel, record.Head), where, "its event is missing", meaningEnds)
		return nil
	})
}

func (c *checking) timers() error {
	return c.eachKey(layout.PrefixTimer, func(ch *surveyed, key, _ []byte) error {
		if !c.whole() {
			return nil
		}
		due, lane := layout.TimerOf(key)
		record, found, err := layout.LaneOf(c.db, layout.ChannelKeyAt(key), lane)
		where := fmt.Sprintf("channel %s, timer due at %s", ch.Channel, due)
		switch {
		case errors.Is(err, layout.ErrRecord):
			return nil // reported with the lane
		case err != nil:
			c.notRead(err)
		case !found:
			c.broken(where, "its lane record is missing", meaningEnds)
		case record.Due != due:
			c.broken(where, "its lane is due at another time", "an attempt is made too early")
		}
		return nil
	})
}

// events checks that a restart finds every event: at or after the cursor, or
// through its lane.
func (c *checking) events() error {
	return c.readEvents(func(ch *surveyed, sequence uint64, record layout.EventRecord) error {
		if ch.record == nil || !c.whole() {
			return nil
		}
		where := ch.where("event", sequence)
		c.notAhead(where, record.AcceptedAt)
		if sequence < ch.record.Low {
			c.broken(where, "it lies below the channel's low-water mark", meaningStuck)
			return nil
		}
		channel := layout.ChannelKeyOf(ch.Channel)
		if _, isHead := c.attempts[head{channel, sequence}]; isHead || sequence >= ch.record.Cursor {
			return nil
		}
		c.require(layout.PointerKey(channel, layout.LaneKeyOf(record.Lane()), sequence), where,
			"it lies before the channel's cursor and its lane does not point to it", meaningStuck)
		return nil
	})
}

func (c *checking) pointers() error {
	var lane []byte // pointers of one lane come one after the other
	var record layout.LaneRecord
	return c.eachKey(layout.PrefixPointer, func(ch *surveyed, key, _ []byte) error {
		if !c.whole() {
			return nil
		}
		channel, sequence := layout.ChannelKeyAt(key), layout.SequenceOf(key)
		where := ch.where("pointer to event", sequence)
		if of := layout.LaneRecordKey(channel, layout.LaneKeyAt(key)); !bytes.Equal(of, lane) {
			lane = of
			record = c.laneOfPointer(channel, layout.LaneKeyAt(key), where)
		}
		if sequence <= record.Head {
			c.broken(where, fmt.Sprintf("its lane is already at event %d", record.Head), meaningStuck)
		}
		c.require(layout.EventKey(channel, sequence), where, "its event is missing", meaningEnds)
		return nil
	})
}

func (c *checking) laneOfPointer(channel layout.ChannelKey, lane layout.LaneKey, where string) layout.LaneRecord {
	record, found, err := layout.LaneOf(c.db, channel, lane)
	switch {
	case errors.Is(err, layout.ErrRecord): // reported with the lane
		return layout.LaneRecord{}
	case err != nil:
		c.notRead(err)
	case !found:
		c.broken(where, "its lane record is missing", meaningStuck)
	}
	return record
}

func (c *checking) deadLetters() error {
	return c.readDeadLetters(func(entry layout.DeadEntry) error {
		where := fmt.Sprintf("channel %s, dead letter %d", entry.Letter.Event.Channel, layout.SequenceOf(entry.Key))
		c.notAhead(where, max(entry.Record.AcceptedAt, layout.DiedAt(entry.Key)))
		return nil
	})
}

// unknown reports keys that no layout knows: those between the known prefixes.
func (c *checking) unknown() error {
	report := func(key, _ []byte) error {
		c.broken(fmt.Sprintf("key %x", key), "no release that this one knows writes such a key",
			"another program or a newer release wrote into the store")
		return nil
	}
	from := byte(0)
	for _, known := range append(slices.Sorted(maps.Keys(layout.KeyLengths)), 0xff) {
		if from < known {
			if err := c.between([]byte{from}, []byte{known}, report); err != nil {
				return err
			}
		}
		from = known + 1
	}
	return nil
}

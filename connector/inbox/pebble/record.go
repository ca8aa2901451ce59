package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// errRecord means that a stored value is not what its key promises.
var errRecord = errors.New("damaged record")

// Each record starts with its version, so that a later release can read what
// this one wrote.
const recordVersion = 1

// eventRecord is a pending event.
type eventRecord struct {
	acceptedAt instant
	// acceptedTime is what the machine's clock showed then, for people.
	acceptedTime time.Time
	// pausedBefore is how long the channel had been paused in all when the
	// event was accepted.
	pausedBefore time.Duration
	// ordering decided the event's lane.
	ordering inbox.Ordering
	event    event.Event
}

func (r eventRecord) lane() string { return r.ordering.Lane(r.event) }

func (r eventRecord) encode() []byte {
	e := r.event
	b := make([]byte, 0, 96+len(e.Source)+len(e.Type)+len(e.Subject)+len(e.Conversation)+len(e.ContentType)+len(e.Body))
	b = append(b, recordVersion)
	b = binary.AppendVarint(b, int64(r.acceptedAt))
	b = appendTime(b, r.acceptedTime)
	b = binary.AppendVarint(b, int64(r.pausedBefore))
	b = appendTime(b, e.Time)
	b = append(b, e.ID[:]...)
	b = append(b, byte(r.ordering))
	for _, s := range []string{e.Source, e.Type, e.Subject, e.Conversation, e.ContentType} {
		b = appendString(b, s)
	}
	return append(b, e.Body...)
}

// decodeEvent reads a pending event; its body is part of value.
func decodeEvent(channel string, value []byte) (eventRecord, error) {
	d := decoder{rest: value}
	d.version()
	r := eventRecord{
		acceptedAt:   instant(d.varint()),
		acceptedTime: d.time(),
		pausedBefore: time.Duration(d.varint()),
	}
	r.event = event.Event{Channel: channel, Time: d.time(), ID: d.id()}
	if r.ordering = inbox.Ordering(d.byte()); r.ordering > inbox.Unordered {
		d.fail("ordering")
	}
	e := &r.event
	for _, s := range []*string{&e.Source, &e.Type, &e.Subject, &e.Conversation, &e.ContentType} {
		*s = d.string()
	}
	e.Body = d.rest
	return r, d.err
}

// laneRecord is a tracked lane.
type laneRecord struct {
	head     uint64
	attempts int
	due      instant
}

func (r laneRecord) encode() []byte {
	b := binary.AppendUvarint([]byte{recordVersion}, r.head)
	b = binary.AppendVarint(b, int64(r.attempts))
	return binary.AppendVarint(b, int64(r.due))
}

func decodeLane(value []byte) (laneRecord, error) {
	d := decoder{rest: value}
	d.version()
	r := laneRecord{head: d.uvarint(), attempts: int(d.varint()), due: instant(d.varint())}
	return r, d.err
}

// channelRecord is what the store knows of a channel besides its events.
type channelRecord struct {
	name string
	// last is the highest sequence known when the record was written; settled
	// counts the events that left the pending ones. Their difference to the
	// newest stored sequence is the number of pending events.
	last, settled uint64
	deadLetters   int64
	// low is the low-water mark and cursor where claiming starts after a
	// restart.
	low, cursor uint64
	pauses      pauses
	// retention of dead letters; it holds for a channel that is no longer
	// configured too.
	retention time.Duration
}

func (r channelRecord) encode() []byte {
	b := appendString([]byte{recordVersion}, r.name)
	b = binary.AppendUvarint(b, r.last)
	b = binary.AppendUvarint(b, r.settled)
	b = binary.AppendVarint(b, r.deadLetters)
	b = binary.AppendUvarint(b, r.low)
	b = binary.AppendUvarint(b, r.cursor)
	b = binary.AppendVarint(b, int64(r.pauses.total))
	b = binary.AppendVarint(b, int64(r.pauses.since))
	return binary.AppendVarint(b, int64(r.retention))
}

func decodeChannel(value []byte) (channelRecord, error) {
	d := decoder{rest: value}
	d.version()
	r := channelRecord{
		name: d.string(), last: d.uvarint(), settled: d.uvarint(), deadLetters: d.varint(),
		low: d.uvarint(), cursor: d.uvarint(),
		pauses:    pauses{total: time.Duration(d.varint()), since: instant(d.varint())},
		retention: time.Duration(d.varint()),
	}
	return r, d.err
}

// pauses adds up the time that a channel was paused. since is zero while it
// runs.
type pauses struct {
	total time.Duration
	since instant
}

func (p pauses) paused() bool { return p.since != 0 }

// at is the paused time up to now.
func (p pauses) at(now instant) time.Duration {
	if !p.paused() {
		return p.total
	}
	return p.total + now.since(p.since)
}

// set returns the sum after the channel was paused or resumed at now.
func (p pauses) set(paused bool, now instant) pauses {
	switch {
	case paused == p.paused():
		return p
	case paused:
		return pauses{total: p.total, since: now}
	default:
		return pauses{total: p.at(now)}
	}
}

// deadRecord is a dead letter; event is the encoded eventRecord.
type deadRecord struct {
	// diedTime is what the machine's clock showed when the event died, for
	// people; the key says when that was by the store's own.
	diedTime time.Time
	attempts int
	reason   string
	event    []byte
}

func (r deadRecord) encode() []byte {
	b := appendTime([]byte{recordVersion}, r.diedTime)
	b = binary.AppendVarint(b, int64(r.attempts))
	b = appendString(b, r.reason)
	return append(b, r.event...)
}

func decodeDead(value []byte) (deadRecord, error) {
	d := decoder{rest: value}
	d.version()
	r := deadRecord{diedTime: d.time(), attempts: int(d.varint()), reason: d.string(), event: d.rest}
	return r, d.err
}

// appendTime appends what a machine's clock or a sender showed. A time that
// decoder.time would refuse becomes none.
func appendTime(b []byte, t time.Time) []byte {
	if !shown(t) {
		t = time.Time{}
	}
	return binary.AppendVarint(binary.AppendVarint(b, t.Unix()), int64(t.Nanosecond()))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decoder reads the parts of a record one after the other; after the first
// failure it returns zero values, and err says so.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(what string) {
	d.rest = nil
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", errRecord, what)
	}
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail("cut short")
		return nil
	}
	head := d.rest[:n]
	d.rest = d.rest[n:]
	return head
}

func (d *decoder) version() {
	if v := d.byte(); d.err == nil && v != recordVersion {
		d.fail(fmt.Sprintf("version %d, this release reads %d", v, recordVersion))
	}
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail("no number")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("no number")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// shown says whether people can be shown t: RFC 3339 and JSON know these years.
func shown(t time.Time) bool { return t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 }

// time reads what appendTime appended.
func (d *decoder) time() time.Time {
	t := time.Unix(d.varint(), d.varint())
	if !shown(t) {
		d.fail("no time")
		return time.Time{}
	}
	return t
}

func (d *decoder) string() string { return string(d.take(d.uvarint())) }

func (d *decoder) id() (id event.ID) {
	copy(id[:], d.take(uint64(len(id))))
	return id
}

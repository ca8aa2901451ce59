package layout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// ErrRecord means that a stored value is not what its key promises.
var ErrRecord = errors.New("damaged record")

// SchemaVersion is what this release writes under SchemaKey.
const SchemaVersion = 1

// Each record starts with its version, so that a later release can read what this one wrote.
const recordVersion = 1

// Instant is a moment by the store's own clock: nanoseconds since the store was created, at least 1. Zero is no moment.
type Instant int64

// Never is the due time of no timer.
const Never = Instant(math.MaxInt64)

// Add returns the moment d later, and Never for any that is too late to count.
func (t Instant) Add(d time.Duration) Instant {
	if d > time.Duration(Never-t) {
		return Never
	}
	return t + Instant(d)
}

// Since is the time from an earlier moment to t.
func (t Instant) Since(earlier Instant) time.Duration { return time.Duration(t - earlier) }

// String says for a person how old the store was.
func (t Instant) String() string { return time.Duration(t).String() + " of the store's age" }

// ClockRecord is a reading of the store's clock, and of the machine's at the same moment.
type ClockRecord struct {
	At   Instant
	Time time.Time
}

// Encode returns the stored bytes.
func (r ClockRecord) Encode() []byte {
	b := binary.AppendVarint([]byte{recordVersion}, int64(r.At))
	return appendTime(b, r.Time)
}

// DecodeClock reads what ClockRecord.Encode wrote.
func DecodeClock(value []byte) (ClockRecord, error) {
	d := versioned(value)
	r := ClockRecord{At: Instant(d.varint()), Time: d.time()}
	if r.At < 1 || len(d.Rest) > 0 {
		d.fail("reading of the store's clock")
	}
	return r, d.Err
}

// ErrNoClock: every store has a reading of its clock from its creation on.
var ErrNoClock = fmt.Errorf("%w: there is no reading of the store's clock", ErrRecord)

// EventRecord is a pending event.
type EventRecord struct {
	// AcceptedAt is when it was accepted, or last redriven.
	AcceptedAt Instant
	// AcceptedTime is the same moment by the machine's clock, for people.
	AcceptedTime time.Time
	// PausedBefore is how long the channel had been paused in all when the event was accepted.
	PausedBefore time.Duration
	// Ordering decided the event's lane.
	Ordering inbox.Ordering
	Event    event.Event
}

// Lane is the name of the event's lane.
func (r EventRecord) Lane() string { return r.Ordering.Lane(r.Event) }

// Encode returns the stored bytes.
func (r EventRecord) Encode() []byte {
	e := r.Event
	b := make([]byte, 0, 96+len(e.Source)+len(e.Type)+len(e.Subject)+len(e.Conversation)+len(e.ContentType)+len(e.Body))
	b = append(b, recordVersion)
	b = binary.AppendVarint(b, int64(r.AcceptedAt))
	b = appendTime(b, r.AcceptedTime)
	b = binary.AppendVarint(b, int64(r.PausedBefore))
	b = appendTime(b, e.Time)
	b = append(b, e.ID[:]...)
	b = append(b, byte(r.Ordering))
	for _, s := range []string{e.Source, e.Type, e.Subject, e.Conversation, e.ContentType} {
		b = appendString(b, s)
	}
	return append(b, e.Body...)
}

// DecodeEvent reads a pending event; its body is part of value.
func DecodeEvent(channel string, value []byte) (EventRecord, error) {
	d := versioned(value)
	r := EventRecord{AcceptedAt: Instant(d.varint()), AcceptedTime: d.time(), PausedBefore: time.Duration(d.varint())}
	r.Event = event.Event{Channel: channel, Time: d.time(), ID: d.id()}
	if r.Ordering = inbox.Ordering(d.Byte()); r.Ordering > inbox.Unordered {
		d.fail("ordering")
	}
	e := &r.Event
	for _, s := range []*string{&e.Source, &e.Type, &e.Subject, &e.Conversation, &e.ContentType} {
		*s = d.string()
	}
	e.Body = d.Rest
	return r, d.Err
}

// LaneRecord is a tracked lane.
type LaneRecord struct {
	// Head is the sequence of the event that is tried next, after so many failed Attempts of it, as soon as it is Due.
	Head     uint64
	Attempts int
	Due      Instant
}

// Encode returns the stored bytes.
func (r LaneRecord) Encode() []byte {
	b := binary.AppendUvarint([]byte{recordVersion}, r.Head)
	b = binary.AppendVarint(b, int64(r.Attempts))
	return binary.AppendVarint(b, int64(r.Due))
}

// DecodeLane reads what LaneRecord.Encode wrote.
func DecodeLane(value []byte) (LaneRecord, error) {
	d := versioned(value)
	r := LaneRecord{Head: d.Uvarint(), Attempts: int(d.varint()), Due: Instant(d.varint())}
	return r, d.Err
}

// DeadEntry is a stored dead letter.
type DeadEntry struct {
	Key    []byte
	Letter inbox.DeadLetter
	Record EventRecord
}

// ReadDead reads a dead letter; it shares no memory with key and value.
func ReadDead(channel string, key, value []byte) (DeadEntry, error) {
	dead, err := decodeDead(bytes.Clone(value))
	if err != nil {
		return DeadEntry{}, err
	}
	record, err := DecodeEvent(channel, dead.Event)
	return DeadEntry{
		Key: bytes.Clone(key), Record: record,
		Letter: inbox.DeadLetter{
			Event: record.Event, Reason: dead.Reason, Attempts: dead.Attempts, AcceptedAt: record.AcceptedTime,
			DiedAt: dead.DiedTime,
		},
	}, err
}

// DeadRecord is a dead letter; Event is an encoded EventRecord.
type DeadRecord struct {
	// DiedTime is the machine's time of the event's death, for people; the key holds the store's own.
	DiedTime time.Time
	Attempts int
	Reason   string
	Event    []byte
}

// Encode returns the stored bytes.
func (r DeadRecord) Encode() []byte {
	b := appendTime([]byte{recordVersion}, r.DiedTime)
	b = binary.AppendVarint(b, int64(r.Attempts))
	b = appendString(b, r.Reason)
	return append(b, r.Event...)
}

func decodeDead(value []byte) (DeadRecord, error) {
	d := versioned(value)
	r := DeadRecord{DiedTime: d.time(), Attempts: int(d.varint()), Reason: d.string(), Event: d.Rest}
	return r, d.Err
}

// ChannelRecord holds a channel's counters, marks and settings.
type ChannelRecord struct {
	Name string
	// Last is the highest sequence known when the record was written; Settled counts the events that left the pending
	// ones. The newest stored sequence minus Settled is the number of pending events.
	Last, Settled uint64
	DeadLetters   int64
	// Low is the low-water mark and Cursor where claiming starts after a restart.
	Low, Cursor uint64
	Pauses      Pauses
	// Retention of dead letters; it holds for a channel that is no longer configured too.
	Retention time.Duration
}

// Encode returns the stored bytes.
func (r ChannelRecord) Encode() []byte {
	b := appendString([]byte{recordVersion}, r.Name)
	b = binary.AppendUvarint(b, r.Last)
	b = binary.AppendUvarint(b, r.Settled)
	b = binary.AppendVarint(b, r.DeadLetters)
	b = binary.AppendUvarint(b, r.Low)
	b = binary.AppendUvarint(b, r.Cursor)
	b = binary.AppendVarint(b, int64(r.Pauses.total))
	b = binary.AppendVarint(b, int64(r.Pauses.since))
	return binary.AppendVarint(b, int64(r.Retention))
}

// DecodeChannel reads what ChannelRecord.Encode wrote.
func DecodeChannel(value []byte) (ChannelRecord, error) {
	d := versioned(value)
	r := ChannelRecord{
		Name: d.string(), Last: d.Uvarint(), Settled: d.Uvarint(), DeadLetters: d.varint(),
		Low: d.Uvarint(), Cursor: d.Uvarint(),
		Pauses:    Pauses{total: time.Duration(d.varint()), since: Instant(d.varint())},
		Retention: time.Duration(d.varint()),
	}
	return r, d.Err
}

// Pauses adds up the time that a channel was paused; since is zero while it runs.
type Pauses struct {
	total time.Duration
	since Instant
}

// Paused reports whether the channel is paused.
func (p Pauses) Paused() bool { return p.since != 0 }

// At is the paused time up to now.
func (p Pauses) At(now Instant) time.Duration {
	if !p.Paused() {
		return p.total
	}
	return p.total + now.Since(p.since)
}

// Set returns the sum after the channel was paused or resumed at now.
func (p Pauses) Set(paused bool, now Instant) Pauses {
	switch {
	case paused == p.Paused():
		return p
	case paused:
		return Pauses{total: p.total, since: now}
	default:
		return Pauses{total: p.At(now)}
	}
}

// appendTime appends a time of any clock. A time that Decoder.time would refuse becomes none.
func appendTime(b []byte, t time.Time) []byte {
	if !shown(t) {
		t = time.Time{}
	}
	return binary.AppendVarint(binary.AppendVarint(b, t.Unix()), int64(t.Nanosecond()))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Decoder reads the parts of a record in turn. After the first failure it returns zero values, and Err says why.
type Decoder struct {
	Rest []byte
	Err  error
}

func (d *Decoder) fail(what string) {
	d.Rest = nil
	if d.Err == nil {
		d.Err = fmt.Errorf("%w: %s", ErrRecord, what)
	}
}

// Take reads n bytes, which are part of Rest.
func (d *Decoder) Take(n uint64) []byte {
	if n > uint64(len(d.Rest)) {
		d.fail("cut short")
		return nil
	}
	head := d.Rest[:n]
	d.Rest = d.Rest[n:]
	return head
}

// versioned reads a record from behind its version on.
func versioned(record []byte) Decoder {
	d := Decoder{Rest: record}
	if v := d.Byte(); d.Err == nil && v != recordVersion {
		d.fail(fmt.Sprintf("version %d, this release reads %d", v, recordVersion))
	}
	return d
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if b := d.Take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *Decoder) varint() int64 {
	return number(d, binary.Varint)
}

// Uvarint reads an unsigned number.
func (d *Decoder) Uvarint() uint64 {
	return number(d, binary.Uvarint)
}

func number[N int64 | uint64](d *Decoder, read func([]byte) (N, int)) N {
	v, n := read(d.Rest)
	if n <= 0 {
		d.fail("no number")
		return 0
	}
	d.Rest = d.Rest[n:]
	return v
}

// shown reports whether people can be shown t: RFC 3339 and JSON know these years.
func shown(t time.Time) bool { return t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 }

// time reads what appendTime appended.
func (d *Decoder) time() time.Time {
	t := time.Unix(d.varint(), d.varint())
	if !shown(t) {
		d.fail("no time")
		return time.Time{}
	}
	return t
}

func (d *Decoder) string() string { return string(d.Take(d.Uvarint())) }

func (d *Decoder) id() (id event.ID) {
	copy(id[:], d.Take(uint64(len(id))))
	return id
}

// DecodeAcceptedAt reads a de-duplication key's value.
func DecodeAcceptedAt(value []byte) (Instant, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: de-duplication time", ErrRecord)
	}
	return instantAt(value), nil
}

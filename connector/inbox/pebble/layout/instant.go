package layout

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

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

// ClockRecord is a reading of the clock, and what the machine's showed then.
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

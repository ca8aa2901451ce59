package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Clock is where a store reads the time.
type Clock interface {
	// Now is what the machine's clock shows. It may be set back or ahead at any
	// moment.
	Now() time.Time
	// Elapsed is the time since some moment before the store was opened, the
	// same one as long as the store is open. It never goes back.
	Elapsed() time.Duration
}

// systemClock is the machine's. Elapsed stands still while the machine sleeps.
type systemClock struct{ start time.Time }

func (systemClock) Now() time.Time           { return time.Now() }
func (c systemClock) Elapsed() time.Duration { return time.Since(c.start) }

// instant is a moment by the store's own clock: nanoseconds since the store was
// created, at least 1. Zero is no moment.
type instant int64

// never is the due time of no timer.
const never = instant(math.MaxInt64)

// add returns the moment d later, and never for any that is too late to count.
func (t instant) add(d time.Duration) instant {
	if d > time.Duration(never-t) {
		return never
	}
	return t + instant(d)
}

// since is the time from an earlier moment to t.
func (t instant) since(earlier instant) time.Duration { return time.Duration(t - earlier) }

// String says for a person how old the store was.
func (t instant) String() string { return time.Duration(t).String() + " of the store's age" }

// clock is a store's own. It goes on with the machine's monotonic clock, so that
// no jump of its time of day reaches a store that is open.
type clock struct {
	source Clock
	// opened is source's Elapsed when the store was opened, and at what the
	// clock showed then.
	opened time.Duration
	at     instant
}

func (c clock) now() instant { return c.at.add(c.source.Elapsed() - c.opened) }

// clockRecord is a reading of the clock, and what the machine's showed then.
type clockRecord struct {
	at   instant
	time time.Time
}

func (r clockRecord) encode() []byte {
	b := binary.AppendVarint([]byte{recordVersion}, int64(r.at))
	return appendTime(b, r.time)
}

func decodeClock(value []byte) (clockRecord, error) {
	d := decoder{rest: value}
	d.version()
	r := clockRecord{at: instant(d.varint()), time: d.time()}
	if r.at < 1 || len(d.rest) > 0 {
		d.fail("reading of the store's clock")
	}
	return r, d.err
}

// maxDowntime is how far the clock moves over a restart at most. Only the
// machine's time of day says how long the store was closed, and it may have
// jumped. A longer downtime makes every wait, window and retention longer, and
// a jump makes none of them shorter by more than this.
const maxDowntime = 24 * time.Hour

// resumed is what the clock shows when the store is opened again.
func (r clockRecord) resumed(now time.Time) instant {
	return r.at.add(min(max(now.Round(0).Sub(r.time), 0), maxDowntime))
}

// errNoClock: every store has a reading of its clock from its creation on.
var errNoClock = fmt.Errorf("%w: there is no reading of the store's clock", errRecord)

// setClock sets the store's clock by its last reading, and stores the new one:
// with a process that dies young again and again, the time would stand still
// once the last reading is older than maxDowntime.
func (s *Inbox) setClock(source Clock) error {
	value, found, err := get(s.db, clockKey())
	switch {
	case err != nil:
		return err
	case !found:
		return errNoClock
	}
	last, err := decodeClock(value)
	if err != nil {
		return err
	}
	now := source.Now()
	s.clock = clock{source: source, opened: source.Elapsed(), at: last.resumed(now)}
	reading := clockRecord{at: s.clock.at, time: now}
	s.reading.Store(&reading)
	return s.db.Set(clockKey(), reading.encode(), pebble.Sync)
}

// maxDrift is how far the machine's clock may go from the store's before that is
// stored. It is far above what a time server corrects by slewing within a minute.
const maxDrift = time.Second

// keepTime stores a reading if the machine's clock was set since the last one.
// Otherwise the next start would take the jump for a downtime.
func (s *Inbox) keepTime(ctx context.Context) error {
	last := s.reading.Load()
	drift := s.clock.source.Now().Round(0).Sub(last.time) - s.clock.now().since(last.at)
	if drift.Abs() <= maxDrift {
		return nil
	}
	return s.Try(ctx)
}

// writeClock stores a reading with everything else that is stored, so that no
// stored moment is ever ahead of it.
func (tx *transaction) writeClock() error {
	if tx.Empty() && !tx.keepTime {
		return nil // a refused call must not write to a full disk
	}
	reading := clockRecord{at: tx.now, time: tx.time}
	tx.store.reading.Store(&reading)
	return tx.Set(clockKey(), reading.encode(), nil)
}

// tick is the operation that stores a reading of the clock and nothing else.
type tick struct{ pending }

func (tick) reads() bool { return false }

func (tick) apply(tx *transaction) error {
	tx.keepTime = true
	return nil
}

package pebble

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// Clock is where a store reads the time.
type Clock interface {
	// Now is the machine's time of day. It may be set back or ahead at any moment.
	Now() time.Time
	// Elapsed is the time since a moment before the store was opened, which stays the same. It never goes back.
	Elapsed() time.Duration
}

// systemClock is the machine's. Elapsed stands still while the machine sleeps.
type systemClock struct{ start time.Time }

func (systemClock) Now() time.Time           { return time.Now() }
func (c systemClock) Elapsed() time.Duration { return time.Since(c.start) }

// clock is a store's own. It follows the machine's monotonic clock: no jump of the time of day reaches an open store.
type clock struct {
	source Clock
	opened time.Duration  // what source had elapsed when the store was opened
	at     layout.Instant // what the clock showed then
}

func (c clock) now() layout.Instant { return c.at.Add(c.source.Elapsed() - c.opened) }

// maxDowntime is how far the clock moves over a restart at most. Only the time of day says how long the store was
// closed, and it may jump. A longer downtime lengthens every wait, window and retention; a jump shortens them by no
// more.
const maxDowntime = 24 * time.Hour

// setClock sets the store's clock by its last reading, and stores the new one. Otherwise the time would stand still in
// a process that dies young again and again, once the last reading is older than maxDowntime.
func (s *Inbox) setClock(source Clock) error {
	value, found, err := layout.Get(s.db, layout.ClockKey())
	switch {
	case err != nil:
		return err
	case !found:
		return layout.ErrNoClock
	}
	last, err := layout.DecodeClock(value)
	if err != nil {
		return err
	}
	now := source.Now()
	downtime := min(max(now.Round(0).Sub(last.Time), 0), maxDowntime)
	s.clock = clock{source: source, opened: source.Elapsed(), at: last.At.Add(downtime)}
	reading := layout.ClockRecord{At: s.clock.at, Time: now}
	s.reading.Store(&reading)
	return s.db.Set(layout.ClockKey(), reading.Encode(), pebble.Sync)
}

// maxDrift is how far the machine's clock may drift from the store's before a reading is stored. Slewing stays below
// it.
const maxDrift = time.Second

// keepTime stores a reading if the machine's clock was set: the next start would take the jump for a downtime.
func (s *Inbox) keepTime(ctx context.Context) error {
	last := s.reading.Load()
	drift := s.clock.source.Now().Round(0).Sub(last.Time) - s.clock.now().Since(last.At)
	if drift.Abs() <= maxDrift {
		return nil
	}
	return s.storeClock(ctx)
}

// writeClock stores a reading with everything else that is stored, so that no stored moment is ever ahead of it.
func (tx *transaction) writeClock() {
	if tx.Empty() && !tx.keepTime {
		return // a refused call must not write to a full disk
	}
	reading := layout.ClockRecord{At: tx.now, Time: tx.time}
	tx.store.reading.Store(&reading)
	tx.wrote(tx.Set(layout.ClockKey(), reading.Encode(), nil))
}

// storeClock stores a reading of the clock and nothing else.
func (s *Inbox) storeClock(ctx context.Context) error {
	return s.committer.change(ctx, 64, func(tx *transaction) { tx.keepTime = true })
}

// Package pebble is the inbox on the connector's own disk, over the Pebble
// key-value store (github.com/cockroachdb/pebble).
//
// # One committer
//
// Every write goes through one goroutine, the committer. It takes what has
// queued up, forms one batch, commits it with one fsync, and only then wakes
// the callers. So a duplicate of an event that is still in flight shares its
// fsync, sequence numbers rise in commit order, and decisions about lanes are
// made one after the other on what the store holds, never on a guess. Commits
// never run in an HTTP handler's goroutine: net/http would recover a panic that
// must end the process.
//
// # Lanes
//
// A lane without trouble exists in memory only, and only while an event of it
// is claimed: further events that the cursor meets wait beside it. A lane
// becomes tracked (l, t, and p for what waits) when its head must be tried
// again later, or when too many events wait. The invariant: a pointer p exists
// only below a lane record l, and l and t come and go together. So memory is
// bounded by the claims under way, not by the backlog, and a restart finds every
// event either at or after the persisted cursor or through its lane record.
//
// # Damage
//
// Pebble takes a damaged end of its manifest or of its newest log for a write
// that a crash tore, and then deletes what it no longer knows of. So the store
// keeps layout.Ledger beside Pebble's files, of what is durable for certain, and
// refuses to open without it.
//
// # Time
//
// Whatever has an age, a wait, a window or a retention goes by the store's own
// clock, which counts from the store's creation. While the store is open it goes
// on with the machine's monotonic clock. Every batch stores a reading of it,
// with the time of day, and so does every minute without a batch, and the moment
// after the time of day was set. When the store is opened again, its clock moves on
// by the difference of the times of day, but by 0 at least and by 24 h at most. So:
//
//   - A time of day that jumps while the store is open changes nothing.
//   - One that jumps over a restart ends waits, windows and retention up to 24 h
//     early, or late by the downtime.
//   - A downtime beyond 24 h makes them longer by the rest, as does the time in
//     which the machine sleeps.
//   - No stored moment, except when something is due, is ahead of the stored
//     reading.
//
// Times of day are stored beside it for people: when an event was accepted, and
// when it died. Nothing is computed from them.
package pebble

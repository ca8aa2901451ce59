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
// # Keys
//
//	m                              schema version
//	c channel                      channel record: name, counters, pauses, cursor
//	e channel sequence             pending event
//	d bucket channel id            de-duplication: when the id was accepted
//	l channel lane                 tracked lane: its head, attempts, next attempt
//	t channel due lane             the same lanes by the time of the next attempt
//	p channel lane sequence        further events of a tracked lane
//	x channel died-at sequence     dead letter
//
// channel is 8 bytes and lane 16 bytes of a SHA-256 digest; sequence, bucket and
// times are big-endian, so that key order is their order.
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
// keeps a ledger of what is durable for certain, in a file of its own, and
// refuses to open without it. intact.go says what the ledger promises, and what
// damage remains that no start can know.
//
// # Time
//
// Retries are due by the wall clock, so that they keep to it over a restart. A
// clock that is set back delays what waits by as much.
package pebble

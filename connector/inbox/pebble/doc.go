// Package pebble is the inbox on the connector's own disk, over Pebble (github.com/cockroachdb/pebble).
//
// # One committer
//
// Every write goes through one goroutine, the committer. It takes what has queued up, forms one batch, commits it with
// one fsync, and only then wakes the callers. So a duplicate of an event that is still in flight shares its fsync,
// sequence numbers rise in commit order, and decisions about lanes are made one after the other on what the store
// holds, never on a guess. Commits never run in an HTTP handler's goroutine: net/http would recover a panic that must
// end the process.
//
// # Lanes
//
// A lane without trouble exists in memory only, and only while an event of it is claimed: further events that the
// cursor meets wait beside it. A lane becomes tracked (l, t, and p for waiting events) when its head must be tried
// again later, or when too many events wait. The invariant: a pointer p exists only below a lane record l, and l and t
// come and go together. So memory is bounded by the claims under way, not by the backlog, and a restart finds every
// event either at or after the persisted cursor or through its lane record.
//
// # Marks
//
// The events of a channel are numbered from 1 on. These marks stand on the line of the numbers; channel.go groups them.
//
//	1 ──────┬───────────┬──────────┬───────────┬─────────┬────────▶ sequence
//	      low        resume      cursor    ahead.end   durable  last
//	 no event below   a restart   not yet    next to be   fsynced  numbered
//	                  reads here  placed     read
//
//	last          committer    rises with each new event, before its batch is written
//	durable       committer    follows once the batch is on disk; claiming ends here
//	ahead.end     both         events before it were handed to the claiming
//	cursor        claiming     events before it are claimed, settled, or wait in a lane
//	resume        committer    what a checkpoint stored: the lowest of cursor, parking,
//	                           and what only memory knows to be claimed or waiting
//	parking       claiming     the lowest event that is being handed to lanes on disk
//	low           maintenance  follows the oldest pending event, also beyond resume
//	rangeDeleted  committer    range deletions were written up to it: at most low
//	recovered     nobody       durable when the store was opened
//
// Three more stand on the line of the store's clock. No timer is due before timersFrom, no unclaimed one before
// nextTimer, and no park operation is made before parkFrom.
//
// # Crashes
//
// A crash ends the process or the power at any moment. TestPowerLoss cuts the power at every sync of a random workload.
//
//	crash after …                       recovery finds …                         proven by
//	a call was read                     nothing: it was not answered             TestUnsynced
//	a part of a batch reached the log   nothing of the batch                     TestPowerLossInABatch
//	the fsync of new events             them; a repetition is a duplicate        TestPowerLoss
//	a claim, or an attempt              the event, to be claimed again           TestConformance
//	the fsync of a verdict              its result: gone, dead, or due later     TestPowerLoss
//	claims beyond the last checkpoint   resume: it claims what is left again     TestConformance
//	a part of a crowd was parked        the rest from resume on                  TestParkingFails
//	some dead letters were redriven     these as new, the others as they were    TestPowerLoss
//	a part of the ledger was written    the slot before, which still holds       FuzzLedgerSlot
//	a file left the ledger              the file, or none: both are whole        TestForgottenOnDisk
//	a log grew since the ledger         its records, by those behind them        TestLogBeyondTheLedger
//	a new folder was made               an empty store, or none                  TestPowerLoss
//	a crash during recovery             what the one before it would have        TestPowerLoss
//	hours without a call                the store's clock, a minute off at most  TestIdleTimeIsStored
//	a young death, again and again      a clock that went on                     TestYoungDeaths
//
// # Damage
//
// Pebble takes a damaged end of its manifest or of its newest log for a torn write, and deletes everything behind it.
// So the store keeps layout.Ledger beside Pebble's files, and refuses to open without it.
//
// # Time
//
// Every age, wait, window and retention goes by the store's own clock, which counts from the store's creation. While
// the store is open, it follows the machine's monotonic clock. A reading of it is stored with the time of day: with
// every batch, in every minute without a batch, and after the time of day was set. When the store is opened again, its
// clock moves on by the difference of the times of day, by 0 to 24 h. So:
//
//   - A time of day that jumps while the store is open changes nothing.
//   - One that jumps over a restart ends waits, windows and retention up to 24 h early, or late by the downtime.
//   - A downtime beyond 24 h makes them longer by the rest, as does the time in which the machine sleeps.
//   - No stored moment, except when something is due, is ahead of the stored reading.
//
// Times of day are stored beside it for people: when an event was accepted, and when it died. Nothing is computed from
// them.
package pebble

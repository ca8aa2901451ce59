// Package inbox defines the durable queue between the webhook, which accepts into it, and the delivery, which claims
// from it. They meet nowhere else.
//
// # Lanes
//
// Every event waits in a lane of its channel: its conversation, or a lane of its own when the channel is unordered.
// Within one lane, event n+1 cannot be claimed before event n was settled as taken or dead-lettered. Lanes never wait
// for each other. A lane with no pending event costs nothing. Settings.Ordering decides the lanes of the events that
// are accepted from then on; stored events stay in their lanes, dead letters too.
//
// # Promises
//
//  1. Accept returns Stored or Duplicate only after the events are durable, which each store defines (Pebble: fsynced
//     to its disk). It stores the new events of its batch together or not at all, after a crash too.
//  2. A stored event is claimed again and again, across restarts, until it is settled as taken or dead-lettered; a dead
//     letter is kept until its retention ends or a person redrives or drops it.
//  3. A claim is visible only for events that are durable.
//  4. Settle and everything that it changes (the event, its retry schedule, its dead letter) is one atomic, durable
//     step.
//  5. At its bound on size the inbox refuses with ErrFull, at the end of its disk with ErrDiskFull; it never drops,
//     never shortens the de-duplication window, and keeps settling.
//  6. Ages, waits, windows and retention go by the store's own clock. A jump of the machine's clock changes none of
//     them while the process runs, and at a restart by 24 h at most.
//
// So what callers hand over and get are durations. Times of day are for people.
//
// # A store's life
//
//  1. Its own package opens it, by its section of the configuration. It recovers from a crash before that returns.
//  2. Consume gives it the settings of each configured channel, before anything is accepted: the ordering must be known
//     to lay an event into its lane.
//  3. The webhook accepts, each consumer claims and settles, and Configure follows each change of the configuration,
//     all at the same time.
//  4. A channel that is no longer configured loses its consumer. What it holds stays, dead letters until their
//     retention ends, and comes back with the next Consume.
//  5. Close is the last call. Events that are claimed then are claimed again after the next opening.
//
// A new store is a package below this one whose Inbox passes the suite of package inboxtest, and one line in the
// registry.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrFull: the inbox is at its bound on size. The same call succeeds once deliveries or retention have freed space.
	ErrFull = errors.New("inbox is full")
	// ErrDiskFull: the disk has less left than the store needs. The same call succeeds once the disk has room.
	ErrDiskFull = errors.New("the inbox's disk is full")
	// ErrOverloaded: too much waits for a slow disk. The same call succeeds once the disk has caught up.
	ErrOverloaded = errors.New("inbox is overloaded: its disk does not keep up")
	// ErrClosed: the inbox is closing or closed.
	ErrClosed = errors.New("inbox is closed")
	// ErrNotFound: no dead letter has that id.
	ErrNotFound = errors.New("no such dead letter")
	// ErrLost: the claim was settled, or another replica has its lane and delivers the event.
	ErrLost = errors.New("the claim is no longer held")
	// ErrInUse: the inbox cannot be opened while another process has it open.
	ErrInUse = errors.New("another process uses it")
)

// Outcome is the result of Accept for one event.
type Outcome int

const (
	// Stored: the event is new, and durable.
	Stored Outcome = iota + 1
	// Duplicate: an event with this id was stored on this channel within the de-duplication window, and it is durable.
	Duplicate
)

// Accepter is the way in.
type Accepter interface {
	// Accept stores a batch of events of one channel, in their order, and returns the outcome of each once all are
	// durable. An id that comes twice in the batch is a duplicate the second time. With an error, none is stored. If
	// ctx ends first and the error is ctx's, all may still become durable; their ids are recognised later.
	Accept(ctx context.Context, batch []event.Event) ([]Outcome, error)
}

// Ordering decides which events of a channel share a lane.
type Ordering int

const (
	// PerConversation: the events of a conversation wait for each other. It is the default.
	PerConversation Ordering = iota
	// Unordered: no event waits for another.
	Unordered
)

// Lane is the lane of an event under the ordering.
func (o Ordering) Lane(e event.Event) string {
	if o == Unordered {
		return e.ID.String()
	}
	return e.Conversation
}

// Settings are the inbox's part of a channel's configuration.
type Settings struct {
	// Ordering decides the lanes of the events that are accepted from now on.
	Ordering Ordering
	// Paused: time that passes while paused counts into Claim.Paused.
	Paused bool
	// DeadLetterRetention is how long dead letters are kept; zero keeps them.
	DeadLetterRetention time.Duration
}

// Claim is one event that may be attempted now. It is held until it is settled, until another replica takes over its
// lane, or until the process ends: then the event is claimed again.
type Claim struct {
	Event event.Event
	// Attempts is the number of failed attempts so far.
	Attempts int
	// Age is the time since the event was accepted, or last redriven, and Paused its part in a paused channel.
	Age, Paused time.Duration
	// Lane and Sequence identify the claim to the store.
	Lane     string
	Sequence uint64
}

// Verdict is the result of an attempt: exactly one of Taken, Retry, Dead and Released.
type Verdict interface{ verdict() }

// Taken: the sink has taken the event; it is removed.
type Taken struct{}

// Retry: the attempt failed; the lane waits for After, counted from Settle.
type Retry struct{ After time.Duration }

// Dead: the event goes to the dead letters, with a reason without secrets, ids or bodies; the lane goes on.
type Dead struct{ Reason string }

// Released: no attempt was made, or its result is unknown because the process stops; nothing is counted.
type Released struct{}

func (Taken) verdict()    {}
func (Retry) verdict()    {}
func (Dead) verdict()     {}
func (Released) verdict() {}

// Never is the wait for a signal of Ready alone. A timer of its 292 years needs no special case.
const Never = time.Duration(math.MaxInt64)

// Queue is the way out.
type Queue interface {
	// Consume sets a channel's settings and begins to claim from it: from all of its lanes, or from this replica's
	// share of them. A process has at most one open Consumer of a channel.
	Consume(ctx context.Context, channel string, s Settings) (Consumer, error)
}

// Consumer claims the events of one channel. It has one claiming goroutine; Settle and Renew may be called from any.
type Consumer interface {
	// Claim returns up to limit events that may be attempted now, at most one of each lane, and fewer when they are
	// large. If it returns fewer than limit, wait is how long until more may be claimable without a signal of Ready:
	// until the earliest retry, or zero while the store is still at work on what it read. It is Never when every
	// pending event is claimed or behind a claimed one, and with an error.
	Claim(ctx context.Context, limit int) (claims []Claim, wait time.Duration, err error)
	// Renew keeps a claim held whose attempt takes long. After ErrLost the attempt is to end: another replica makes it.
	// Nothing but the suite calls it yet: a claim in the Embedded inbox lasts until it is settled. A store whose replicas
	// share lanes needs the delivery to call it, and must then say how often.
	Renew(ctx context.Context, c *Claim) error
	// Settle ends a claim and returns once the result is durable. It does not need the event's body, so that callers
	// can free it before. After ErrLost, which a further call would only repeat, the verdict counts for nothing.
	Settle(ctx context.Context, c Claim, v Verdict) error
	// Configure changes the channel's settings.
	Configure(ctx context.Context, s Settings) error
	// Ready is signalled after something became claimable: an event was stored or redriven, a settled lane has a
	// further event, or the channel is no longer paused. A paused channel may stay silent. One signal may stand for
	// many. Every call returns the same Go channel.
	Ready() <-chan struct{}
	// Close ends the claiming. Claims stay held, and are settled as before.
	Close() error
}

// DeadLetter is an event that was given up, with the reason.
type DeadLetter struct {
	Event    event.Event
	Reason   string
	Attempts int
	// AcceptedAt and DiedAt are times of the machine's clock.
	AcceptedAt, DiedAt time.Time
}

// DeadLetters are the operations on events that were given up.
type DeadLetters interface {
	// DeadLetters yields a channel's dead letters, oldest first. A yielded error ends the sequence.
	DeadLetters(channel string) iter.Seq2[DeadLetter, error]
	// Redrive moves dead letters to the end of their lanes, with their ids and fresh clocks, past the de-duplication
	// check. No ids means all that there are at the call, and an id of several the oldest of them: what dies meanwhile
	// stays. It returns how many were moved, with an error too, and ErrNotFound if an id names none.
	Redrive(ctx context.Context, channel string, ids ...event.ID) (int, error)
	// Drop deletes dead letters for good. It selects and returns as Redrive does.
	Drop(ctx context.Context, channel string, ids ...event.ID) (int, error)
}

// Stats describe one channel at a moment.
type Stats struct {
	// Pending counts stored events that are neither taken nor dead.
	Pending int64
	// OldestPendingAge is the time since the oldest of them was accepted or redriven; zero if none is pending.
	OldestPendingAge time.Duration
	// DeadLetters counts kept dead letters.
	DeadLetters int64
	// Shared reports whether all replicas of a connector see the same figures, which then must not be added up.
	Shared bool
}

// Inbox is a store: everything above, and its own life.
type Inbox interface {
	Accepter
	Queue
	DeadLetters
	// Channels names every channel that was consumed or has anything stored, sorted.
	Channels() []string
	// Stats describes one channel; all is zero for one that is not known.
	Stats(ctx context.Context, channel string) (Stats, error)
	// Room is nil while a new event finds room; else it is ErrFull or ErrDiskFull, or wraps it.
	Room() error
	// Try makes a small write durable, as Accept does with an event, and returns the error of that write.
	Try(ctx context.Context) error
	// Close waits for commits under way and closes the store cleanly. Calls after Close return ErrClosed.
	Close() error
}

// Sized is an Inbox on a disk of its own.
type Sized interface {
	// Usage is the size on disk and the bound, in bytes.
	Usage() (used, limit int64)
}

// Bounded is a Sized inbox whose bound can change while it is in use.
type Bounded interface {
	// SetBound changes the bound, in bytes, at any time; it takes effect soon after. With a larger one a full inbox
	// takes events again. If it is below what is stored, the inbox is full until it holds less; nothing is dropped.
	SetBound(bytes int64)
}

// Usage is that of a Sized store, and zero for any other.
func Usage(store any) (used, limit int64) {
	if sized, ok := store.(Sized); ok {
		used, limit = sized.Usage()
	}
	return used, limit
}

// ChannelStats describe one channel at a moment.
type ChannelStats struct {
	Name string
	Stats
}

// Described is the part of an Inbox that Present reads.
type Described interface {
	Channels() []string
	Stats(ctx context.Context, channel string) (Stats, error)
}

// Present describes the channels that are configured or still hold an event, sorted by name. The keys of configured are
// names. A channel that is no longer configured is left out once it is empty. If a channel cannot be read, it is left
// out too, with an error.
func Present[V any](ctx context.Context, in Described, configured map[string]V) (present []ChannelStats, err error) {
	names := slices.AppendSeq(in.Channels(), maps.Keys(configured))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		_, stays := configured[name]
		stats, failed := in.Stats(ctx, name)
		switch {
		case failed != nil:
			err = errors.Join(err, fmt.Errorf("channel %q: %w", name, failed))
		case stats.Pending > 0 || stats.DeadLetters > 0 || stays:
			present = append(present, ChannelStats{name, stats})
		}
	}
	return present, err
}

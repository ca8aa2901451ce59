// Package sink defines where events go. A sink makes exactly one attempt for an event. The delivery decides whether and
// when to try again, by the error's type alone.
package sink

import (
	"context"
	"errors"
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// Sink is the far end of one channel. It is safe for concurrent use. Package each makes a Sink of a sender of single
// events.
type Sink interface {
	// MaxBatch is the largest number of events for one Send, at least 1. It never changes.
	MaxBatch() int
	// Send makes one attempt to hand over each of events. They are of different lanes, so their order means nothing. It
	// returns one error for each event, in the order of events: nil if the sink has taken the event, *Refused if it can
	// never take the event, and *Failed otherwise. With more or fewer errors than events all attempts count as failed.
	// Send honours ctx; an attempt that ctx cuts short is *Failed, because the sink may have taken the event.
	Send(ctx context.Context, events []event.Event) []error
	// Close releases connections. Sends under way may still finish.
	Close()
}

// Settings are the section of one channel's sink; New of every type of sink returns one. The other methods are called
// only if Check has found no problem.
type Settings interface {
	config.Section
	// Lacks reports whether a credential is missing. If so, Open is not called and nothing is sent.
	Lacks() bool
	// Digest identifies the settings and the contents of their files: a reload with the same digest keeps the sink and
	// its connections.
	Digest() string
	// Open makes the sink.
	Open(e Environment) (Sink, error)
}

// Environment is what a process gives to a sink.
type Environment struct {
	// Concurrency is the largest number of events under way at once.
	Concurrency int
	// Places bound the connections to all sinks of the process; the sink takes a place for each of its own.
	Places *Places
}

// ErrWithheld means that no attempt was made, because a credential of the sink is missing.
var ErrWithheld = errors.New("nothing was sent: a credential of the sink is missing")

// Withheld is a sink whose credential is missing.
type Withheld struct{}

// MaxBatch returns 1.
func (Withheld) MaxBatch() int { return 1 }

// Send returns ErrWithheld for each event.
func (Withheld) Send(_ context.Context, events []event.Event) []error {
	return slices.Repeat([]error{ErrWithheld}, len(events))
}

// Close does nothing.
func (Withheld) Close() {}

// Refused means that the event itself is the problem: it goes to the dead letters at once. Reason is a short text
// without secrets, ids or bodies, for example "HTTP 422".
type Refused struct{ Reason string }

// Error returns the reason.
func (e *Refused) Error() string { return "sink refused the event: " + e.Reason }

// Failed means that another attempt may succeed.
type Failed struct {
	// Class is the kind of failure, from a small fixed set fit for a metric label: "status", "timeout", "connection",
	// "tls", "proxy", "address", "protocol", "canceled".
	Class string
	// Reason is a short text without secrets, ids or bodies.
	Reason string
	// RetryAfter is the wait that the sink asked for; zero if it asked for none.
	RetryAfter time.Duration
}

// Error returns the reason.
func (e *Failed) Error() string { return "sink failed: " + e.Reason }

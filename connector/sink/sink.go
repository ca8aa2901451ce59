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

// Sink is the far end of one channel. It is safe for concurrent use. Package each makes one of what sends a single
// event at a time.
type Sink interface {
	// MaxBatch is the largest number of events for one Send, at least 1. It never changes.
	MaxBatch() int
	// Send makes one attempt to hand over each of events, which are of different lanes: their order means nothing. It
	// returns one error for each event, in the order of events: nil if the sink has taken the event, *Refused if the
	// sink says that it can never take this event, and *Failed for everything else. It honours ctx; an attempt cut
	// short by ctx is *Failed, because the sink may or may not have taken the event.
	Send(ctx context.Context, events []event.Event) []error
	// Close releases connections. Sends under way may still finish.
	Close()
}

// Settings are the section of one channel's sink, and what the New of a type of sink returns. Its further methods are
// called only if Check has found nothing wrong.
type Settings interface {
	config.Section
	// Lacks returns the fields of the credentials that are missing. While there are any, nothing may be sent, and Open
	// is not called.
	Lacks() []string
	// Digest identifies what the sink is made of, the contents of files included: a reload with the same digest keeps
	// the sink and its connections.
	Digest() string
	// Open makes the sink.
	Open(e Environment) (Sink, error)
}

// Environment is what a process has for a sink.
type Environment struct {
	// Concurrency is the number of events that are under way at once at most.
	Concurrency int
	// Places bound the connections to all sinks of the process; the sink takes one for each of its own.
	Places *Places
}

// ErrWithheld means that no attempt was made, because a credential that the sink must be called with is missing.
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

// Refused means the event itself is the problem: it goes to the dead letters at once. Reason is a short text without
// secrets, ids or bodies, for example "HTTP 422".
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
	// RetryAfter is the sink's own wish, zero when it stated none.
	RetryAfter time.Duration
}

// Error returns the reason.
func (e *Failed) Error() string { return "sink failed: " + e.Reason }

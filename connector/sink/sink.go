// Package sink defines where events go. A sink makes exactly one attempt; when
// and whether to try again is the delivery's decision, and the error's type
// alone decides it.
package sink

import (
	"context"
	"errors"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
)

// Sink is the far end of one channel. It is safe for concurrent use.
type Sink interface {
	// Send makes one attempt to hand over e. It returns nil when the sink has
	// taken the event, *Refused when the sink says that this event can never be
	// taken, and *Failed for everything else. It honours ctx; an attempt cut
	// short by ctx is *Failed, because the sink may or may not have taken it.
	Send(ctx context.Context, e event.Event) error
	// Close releases connections. Sends under way may still finish.
	Close()
}

// ErrWithheld means that no attempt was made, because a credential that the sink
// must be called with is missing.
var ErrWithheld = errors.New("nothing was sent: a credential of the sink is missing")

// Withheld is a sink whose credential is missing.
type Withheld struct{}

// Send returns ErrWithheld.
func (Withheld) Send(context.Context, event.Event) error { return ErrWithheld }

// Close does nothing.
func (Withheld) Close() {}

// Refused means the event itself is the problem: it goes to the dead letters at
// once. Reason is a short text without secrets, ids or bodies, for example
// "HTTP 422".
type Refused struct{ Reason string }

// Error returns the reason.
func (e *Refused) Error() string { return "sink refused the event: " + e.Reason }

// Failed means that another attempt may succeed.
type Failed struct {
	// Class is the kind of failure, from a small fixed set fit for a metric
	// label: "status", "timeout", "connection", "tls", "proxy", "address",
	// "protocol", "canceled".
	Class string
	// Reason is a short text without secrets, ids or bodies.
	Reason string
	// RetryAfter is the sink's own wish, zero when it stated none.
	RetryAfter time.Duration
}

// Error returns the reason.
func (e *Failed) Error() string { return "sink failed: " + e.Reason }

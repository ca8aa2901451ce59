// Package each makes a sink of a sender of single events.
package each

import (
	"context"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

// Sender is the far end of one channel. It is safe for concurrent use.
type Sender interface {
	// Send makes one attempt to hand over e. It returns the error that sink.Sink has for one event.
	Send(ctx context.Context, e event.Event) error
	// Close releases connections. Sends under way may still finish.
	Close()
}

// Sink returns a sink that sends by s. Its batches hold one event, so that no event waits for the answer to another
// one.
func Sink(s Sender) sink.Sink { return wrapped{s} }

type wrapped struct{ sender Sender }

func (w wrapped) MaxBatch() int { return 1 }

func (w wrapped) Close() { w.sender.Close() }

func (w wrapped) Send(ctx context.Context, events []event.Event) []error {
	errs := make([]error, len(events))
	for i, e := range events {
		errs[i] = w.sender.Send(ctx, e)
	}
	return errs
}

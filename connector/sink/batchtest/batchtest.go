// Package batchtest is a sink that takes batches, for tests only.
package batchtest

import (
	"context"
	"slices"
	"sync"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

// Sink keeps what it is sent.
type Sink struct {
	// Most is the largest batch.
	Most int
	// Answer makes the results of one Send; nil takes everything.
	Answer func(ctx context.Context, events []event.Event) []error
	// Closed, if it is set, is called by Close.
	Closed func() error

	mu      sync.Mutex
	batches [][]event.Event
	closed  int
}

var _ sink.Sink = (*Sink)(nil)

// MaxBatch implements sink.Sink.
func (s *Sink) MaxBatch() int { return s.Most }

// Send implements sink.Sink.
func (s *Sink) Send(ctx context.Context, events []event.Event) []error {
	s.mu.Lock()
	s.batches = append(s.batches, slices.Clone(events))
	s.mu.Unlock()
	if s.Answer == nil {
		return make([]error, len(events))
	}
	return s.Answer(ctx, events)
}

// Close implements sink.Sink.
func (s *Sink) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	if s.Closed != nil {
		_ = s.Closed() // a test reads what was written
	}
}

// Closings is how often the sink was closed.
func (s *Sink) Closings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Batches are the events of each Send, taken or not, in the order of the calls.
func (s *Sink) Batches() [][]event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.batches)
}

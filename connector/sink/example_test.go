package sink_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/sink/each"
)

// printer is a sink that takes batches: it prints one line for each of them.
type printer struct{ to io.Writer }

func (printer) MaxBatch() int { return 100 }

func (printer) Close() {}

func (p printer) Send(_ context.Context, events []event.Event) []error {
	errs := make([]error, len(events))
	var line []string
	for i, e := range events {
		if len(e.Body) > 9 {
			errs[i] = &sink.Refused{Reason: "larger than 9 bytes"}
			continue
		}
		line = append(line, e.Conversation+" "+string(e.Body))
	}
	fmt.Fprintln(p.to, strings.Join(line, ", "))
	return errs
}

// A sink makes one attempt for each event of a batch, and tells of each what became
// of it.
func ExampleSink() {
	var s sink.Sink = printer{os.Stdout}
	defer s.Close()
	for _, err := range s.Send(context.Background(), []event.Event{
		{Conversation: "An", Body: []byte(`"hello"`)},
		{Conversation: "Binh", Body: []byte(`"what a long text"`)},
		{Conversation: "Chi", Body: []byte(`"bye"`)},
	}) {
		fmt.Println(err)
	}
	// Output:
	// An "hello", Chi "bye"
	// <nil>
	// sink refused the event: larger than 9 bytes
	// <nil>
}

// caller sends one event at a time.
type caller struct{ log io.Writer }

func (caller) Close() {}

func (c caller) Send(_ context.Context, e event.Event) error {
	fmt.Fprintln(c.log, "calling for", e.Conversation)
	return &sink.Failed{Class: "connection", Reason: "nobody answers"}
}

// Package each makes a sink of what sends one event at a time.
func ExampleSink_each() {
	s := each.Sink(caller{os.Stdout})
	defer s.Close()
	fmt.Println(s.MaxBatch(), s.Send(context.Background(), []event.Event{{Conversation: "An"}}))
	// Output:
	// calling for An
	// 1 [sink failed: nobody answers]
}

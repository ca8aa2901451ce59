package batchtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

// Type is a type of sink that a test adds to package types: it appends each batch to a file.
var Type = config.Type{Name: "Lines", New: func() config.Section { return &Settings{MaxBatch: 10} }}

var _ sink.Settings = (*Settings)(nil)

// Settings name the file.
type Settings struct {
	// File gets one line for each batch: the bodies as an array in JSON. Required.
	File string `yaml:"file,omitempty" file:"path"`
	// MaxBatch is the largest number of events in a line. Default: 10.
	MaxBatch int `yaml:"maxBatch,omitempty"`
}

// Check implements config.Section.
func (s *Settings) Check(c *config.Checker) {
	c.Required("file", s.File)
	c.Between("maxBatch", s.MaxBatch, 1, 1000)
}

// Lacks implements sink.Settings.
func (*Settings) Lacks() bool { return false }

// Digest implements sink.Settings.
func (s *Settings) Digest() string { return fmt.Sprint(s.File, s.MaxBatch) }

// Open implements sink.Settings.
func (s *Settings) Open(sink.Environment) (sink.Sink, error) {
	file, err := os.OpenFile(s.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	write := func(_ context.Context, events []event.Event) []error {
		bodies := make([]json.RawMessage, len(events))
		for i, e := range events {
			bodies[i] = e.Body
		}
		line, err := json.Marshal(bodies)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			_, err = file.Write(append(bytes.TrimSpace(line), '\n'))
		}
		if err != nil {
			return slices.Repeat([]error{&sink.Failed{Class: "file", Reason: "the file cannot be written"}}, len(events))
		}
		return make([]error, len(events))
	}
	return &Sink{Most: s.MaxBatch, Answer: write, Closed: file.Close}, nil
}

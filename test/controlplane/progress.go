package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells whoever waits what goes on.
type progress struct {
	out io.Writer
	// every is how often a step that is still under way is told of again.
	every time.Duration
}

func (p progress) sayf(format string, args ...any) {
	fmt.Fprintf(p.out, "controlplane: "+format+"\n", args...)
}

// during does the work, and says when it begins and ends, and in between that it
// goes on.
func (p progress) during(step string, work func() error) error {
	begun := time.Now()
	p.sayf("%s", step)
	done := make(chan error, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			p.sayf("%s: %s after %s", step, outcome(err), elapsed(begun))
			return err
		case <-tick.C:
			p.sayf("%s: %s so far; the whole takes about 7 minutes, once", step, elapsed(begun))
		}
	}
}

func outcome(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

func elapsed(begun time.Time) time.Duration { return time.Since(begun).Round(time.Second) }

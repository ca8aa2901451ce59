package build

import (
	"fmt"
	"io"
	"time"
)

// Progress reports to the user who waits.
type Progress struct {
	// Program is the name before each line.
	Program string
	// Total is how long all the steps take, on first use.
	Total string
	Out   io.Writer
	// Every is how often a running step is reported again.
	Every time.Duration
}

// Sayf prints a line.
func (p Progress) Sayf(format string, args ...any) {
	fmt.Fprintf(p.Out, p.Program+": "+format+"\n", args...)
}

// during does the work, and reports its begin, its end and, in between, that it goes on.
func (p Progress) during(step string, work func() error) error {
	begun := time.Now()
	p.Sayf("%s", step)
	done := make(chan error, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			outcome := "done"
			if err != nil {
				outcome = "failed"
			}
			p.Sayf("%s: %s after %s", step, outcome, elapsed(begun))
			return err
		case <-tick.C:
			p.Sayf("%s: %s so far; the whole takes about %s, once", step, elapsed(begun), p.Total)
		}
	}
}

func elapsed(begun time.Time) time.Duration { return time.Since(begun).Round(time.Second) }

package main

import (
	"fmt"
	"time"
)

const (
	// answerWithin is Zalo's own limit.
	answerWithin = 2 * time.Second
	// asked is the part of the signed calls that must be answered in time, in %,
	// and askedMiB the bound on the memory.
	asked    = 99.9
	askedMiB = 200
)

// tried are a platform's calls.
type tried struct {
	calls, inTime int
	worst         time.Duration
}

func (c tried) percent() float64 { return 100 * float64(c.inTime) / float64(max(c.calls, 1)) }

func (c tried) String() string {
	return fmt.Sprintf("%d of %d (%.2f %%), worst %v", c.inTime, c.calls, c.percent(), c.worst.Round(time.Millisecond))
}

// result is what an attack did.
type result struct {
	attack      string
	kept, fresh tried
	peakMiB     float64
	died        bool
}

const heading = "| attack | signed calls answered 200 within 2 s on kept connections | on new connections | peak memory |\n|---|---|---|---|"

func (r result) met() bool {
	return !r.died && r.kept.percent() >= asked && r.fresh.percent() >= asked && r.peakMiB < askedMiB
}

func (r result) String() string {
	peak := fmt.Sprintf("%.0f MiB", r.peakMiB)
	if r.died {
		peak = "killed"
	}
	return fmt.Sprintf("| %s | %v | %v | %s |", r.attack, r.kept, r.fresh, peak)
}

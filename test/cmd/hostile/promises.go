package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
)

// The promises that the campaign judges.
const (
	promiseLoss       = "every acknowledged event is taken, or a dead letter that the bot refused"
	promiseOrder      = "the first deliveries of each conversation come in order"
	promiseInvented   = "no event is delivered that the platform never sent"
	promiseForged     = "no call without a valid signature is answered 200"
	promiseCalls      = "signed calls are answered 200 within 2 s on the first try, outside of disturbances"
	promiseProbes     = "probes are answered within 1 s, outside of disturbances"
	promiseMemory     = "memory stays under the limit"
	promiseAlive      = "the process ends only when told to, or when the disk is full"
	promiseStop       = "SIGTERM ends it within the grace period, with exit code 0"
	promiseStart      = "it is ready again after a stop or a kill"
	promiseReload     = "a valid version of the configuration is put to use, a bad one refused"
	promiseFull       = "calls are answered 200 again when the disk has room"
	promiseDamage     = "a damaged inbox refuses, or holds everything acknowledged and not taken"
	promiseSound      = "the inbox is sound and empty at the end"
	promiseLogJSON    = "every line of the log is JSON"
	promiseLogSecrets = "no line of the log has a body, key or user id"
	promiseLogBound   = "the log is bounded"
)

// examples are shown of each broken promise.
const examples = 5

// promises remembers the broken ones.
type promises struct {
	progress io.Writer

	mu     sync.Mutex
	counts map[string]int
}

func newPromises(progress io.Writer) *promises {
	return &promises{progress: progress, counts: make(map[string]int)}
}

// brokenf notes how a promise was broken.
func (p *promises) brokenf(promise, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts[promise]++; p.counts[promise] <= examples {
		fmt.Fprintf(p.progress, "BROKEN: %s: %.8000s\n", promise, fmt.Sprintf(format, args...))
	}
}

// kept reports whether none was broken.
func (p *promises) kept() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.counts) == 0
}

// figure is a line of the table.
type figure struct {
	name  string
	value any
}

// printTable prints the figures, then the promises that were broken.
func printTable(out io.Writer, figures []figure, p *promises) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tVALUE")
	for _, f := range figures {
		fmt.Fprintf(w, "%s\t%v\n", f.name, f.value)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, promise := range slices.Sorted(maps.Keys(p.counts)) {
		fmt.Fprintf(w, "BROKEN: %s\t%d\n", promise, p.counts[promise])
	}
	return w.Flush()
}

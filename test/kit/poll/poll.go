// Package poll lets a test wait for an event instead of a fixed time.
package poll

import (
	"testing"
	"time"
)

// patience is far beyond the needs of a slow machine: no test asserts speed.
const patience = time.Minute

// Until calls holds until it returns true. After a minute it fails the test, and names what was not seen.
func Until(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			tb.Fatalf("not seen: %s", what)
		}
	}
}

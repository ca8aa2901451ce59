// Package poll lets a test wait for what must come, instead of for a time.
package poll

import (
	"testing"
	"time"
)

// patience is far beyond what a slow machine takes: no test asserts speed.
const patience = time.Minute

// Until calls holds until it is true. After a minute it fails the test; what
// says what was not seen.
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

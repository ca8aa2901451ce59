package webhook

import (
	"sync/atomic"
	"time"
)

// logEvery is how far apart log lines of one cause are at least. Metrics count every call; a line says why, and a
// caller must not be able to flood the log.
const logEvery = time.Minute

// throttle lets through one log line each logEvery.
type throttle struct{ last atomic.Pointer[time.Time] }

func (t *throttle) allows(now time.Time) bool {
	last := t.last.Load()
	// A clock that was set back must not silence the log.
	if last != nil && now.Sub(*last).Abs() < logEvery {
		return false
	}
	return t.last.CompareAndSwap(last, &now)
}

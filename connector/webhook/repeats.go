package webhook

import (
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// repeatSlack is how much later than its minute a line may come, so that many lines cost one look.
const repeatSlack = time.Second

// repeats logs refusals: the first of a channel and reason at once, what follows as one line a minute with their
// number. Nothing is left uncounted: a refusal without a line at the end of its minute, or of the process, gets one
// then.
//
// There are as many kinds at most as configured channels times reasons, and each is forgotten after a minute without a
// refusal.
type repeats struct {
	log logr.Logger

	mu    sync.Mutex
	kinds map[refusalKind]*repeat
	// timer runs while there are any kinds, for all of them.
	timer *time.Timer
}

// refusalKind is common to the refusals that share a line. Channel is empty for calls without a valid key.
type refusalKind struct {
	channel string
	reason  string
}

// repeat is one kind's minute.
type repeat struct {
	ends time.Time
	// held are the refusals that no line tells of yet.
	held int
}

func newRepeats(log logr.Logger) *repeats {
	return &repeats{log: log, kinds: make(map[refusalKind]*repeat)}
}

// note logs a refusal now or later.
func (r *repeats) note(channelName, reason string) {
	kind := refusalKind{channelName, reason}
	r.mu.Lock()
	defer r.mu.Unlock()
	if minute := r.kinds[kind]; minute != nil {
		minute.held++
		return
	}
	r.kinds[kind] = &repeat{ends: time.Now().Add(logEvery)}
	r.write(kind, 1)
	if r.timer == nil {
		r.timer = time.AfterFunc(logEvery, r.look)
	}
}

// look logs what was held until the end of its minute.
func (r *repeats) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	next := logEvery
	for kind, minute := range r.kinds {
		switch {
		case now.Before(minute.ends):
		case minute.held == 0:
			delete(r.kinds, kind)
			continue
		default:
			r.write(kind, minute.held)
			*minute = repeat{ends: now.Add(logEvery)}
		}
		next = min(next, minute.ends.Sub(now))
	}
	r.timer = nil
	if len(r.kinds) > 0 {
		r.timer = time.AfterFunc(max(next, repeatSlack), r.look)
	}
}

// end logs the held refusals.
func (r *repeats) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	for kind, minute := range r.kinds {
		if minute.held > 0 {
			r.write(kind, minute.held)
		}
	}
	clear(r.kinds)
}

// write writes a line: calls is how many were refused since the line before.
func (r *repeats) write(kind refusalKind, calls int) {
	r.log.Info("calls refused", "channel", kind.channel, "reason", kind.reason, "calls", calls)
}

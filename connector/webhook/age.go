package webhook

import (
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// maxAhead is how far a timestamp may be ahead of our clock without being counted: clocks that are kept right differ by
// less.
const maxAhead = time.Minute

// Why a verified call's age was not judged: values of the metric label "reason".
const (
	// oddUnusual: the timestamp does not have the platform's usual form.
	oddUnusual = "unusual"
	// oddAhead: the timestamp is ahead of our clock.
	oddAhead = "ahead"
)

// isStale reports whether a part of a verified call is older than its channel takes. Inside the inbox's window a
// repeated call is a duplicate; beyond it, a captured call could come in again, for ever. It is never answered 200: if
// our own clock is wrong, the platform's retries keep the event until the clock is right.
func (h *Handler) isStale(x *exchange, r *route, found *channel.Call) bool {
	if r.MaxEventAge == 0 {
		return false
	}
	age := x.arrived.Sub(found.SentAt)
	switch {
	case found.SentAt.IsZero():
		r.metrics.OddTimestamps.Inc(oddUnusual)
	case age < -maxAhead:
		r.metrics.OddTimestamps.Inc(oddAhead)
	case age > r.MaxEventAge:
		if r.stale.allows(x.arrived) {
			h.Log.Info("signed events are older than webhook.maxEventAge and are answered 503: "+
				"calls are replayed, or the clock of this machine is ahead, so look at it first",
				"channel", r.Name, "age", age.Round(time.Second).String(), "maxEventAge", r.MaxEventAge.String())
		}
		return true
	}
	return false
}

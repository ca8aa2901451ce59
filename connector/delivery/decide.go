package delivery

import (
	"errors"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

// ResultTaken is the metric label of an attempt that ended in the sink's taking the event.
const ResultTaken = "taken"

// The other results that are not a failure class of package sink.
const (
	resultRefused  = "refused"
	resultWithheld = "withheld"
	resultUnknown  = "unknown"
)

// attempt is one attempt to hand over the event of a claim.
type attempt struct {
	claim inbox.Claim
	// size is that of the event's body, which is freed at the end of the attempt.
	size int
	// ended is the time of day of the end, for people; took is the time since the claim.
	ended time.Time
	took  time.Duration
	// err is what the sink returned.
	err error
	// cut: the process stops and ended the attempt before its time.
	cut bool
}

// decide says what becomes of the event. random yields numbers in [0, 1).
func decide(a attempt, r config.Retry, random func() float64) inbox.Verdict {
	result, reason := describe(a.err)
	attempts := a.claim.Attempts + 1 // with this one
	left := time.Duration(r.MaxAge) - (a.claim.Age - a.claim.Paused) - a.took
	switch {
	case result == ResultTaken:
		return inbox.Taken{}
	case result == resultRefused:
		return inbox.Dead{Reason: reason}
	case a.cut, errors.Is(a.err, sink.ErrWithheld):
		return inbox.Released{}
	case left <= 0:
		return inbox.Dead{Reason: fmt.Sprintf("expired after attempt %d: %s", attempts, reason)}
	}
	wait := max(backoff(r, attempts, random), retryAfter(a.err))
	return inbox.Retry{After: min(wait, left)}
}

// backoff is the wait after the given number of failed attempts, at least one: uniform between zero and a bound that
// doubles with each attempt. The full range, not a part of it, spreads the conversations that failed together.
func backoff(r config.Retry, attempts int, random func() float64) time.Duration {
	initial, bound := time.Duration(r.InitialBackoff), time.Duration(r.MaxBackoff)
	if doublings := attempts - 1; initial <= bound>>doublings {
		bound = initial << doublings
	}
	return time.Duration(random() * float64(bound))
}

func retryAfter(err error) time.Duration {
	if failed, ok := errors.AsType[*sink.Failed](err); ok {
		return failed.RetryAfter
	}
	return 0
}

// describe names the result of an attempt for metrics, and says for a person what failed. Only texts that the sink made
// for that purpose are used: any other error may hold an address, a header or a part of the body.
func describe(err error) (result, reason string) {
	if err == nil {
		return ResultTaken, ""
	}
	if refused, ok := errors.AsType[*sink.Refused](err); ok {
		return resultRefused, refused.Error()
	}
	if failed, ok := errors.AsType[*sink.Failed](err); ok {
		return failed.Class, failed.Error()
	}
	if errors.Is(err, sink.ErrWithheld) {
		return resultWithheld, err.Error()
	}
	return resultUnknown, "sink failed for a reason that it did not name"
}

package webhook

import (
	"context"
	"errors"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// triage sorts the parts of a call into those to be stored and those only counted. One refused part refuses the call.
func (h *Handler) triage(x *exchange, r *route, reading channel.Reading) {
	selected, left := reading.Calls[:0], []*reply(nil)
	if len(reading.Calls) == 0 {
		left = append(left, answerProbe)
	}
	for i := range reading.Calls {
		part := &reading.Calls[i]
		switch why := r.leavesOut(part); {
		case why != nil:
			left = append(left, why)
		case part.Event.Channel != r.Name || part.Event.ID == event.ID{}:
			h.refuse(x, r.Name, answerIncomplete)
			return
		case reading.Verified && h.isStale(x, r, part):
			h.refuse(x, r.Name, answerStale)
			return
		default:
			selected = append(selected, *part)
		}
	}
	if len(selected) > 0 && !h.store(x, r, selected) {
		return
	}
	for _, why := range left {
		r.metrics.Ignored.Inc(why.reason)
	}
	if len(selected) == 0 {
		x.end(left[0])
	}
}

// leavesOut returns why a part of a call is not stored, nil if it is.
func (r *route) leavesOut(part *channel.Call) *reply {
	switch {
	case part.Kind == channel.KindConsoleTest:
		return answerConsoleTest
	case part.Kind == channel.KindForeignAccount:
		return answerForeignAccount
	case !r.events.selects(part.Name):
		return answerExcluded
	}
	return nil
}

// store answers 200 only if the inbox says that all events are durable. A caller that hangs up does not stop it: the
// events are real, and their retry is recognised later. It reports whether they are stored.
func (h *Handler) store(x *exchange, r *route, selected []channel.Call) bool {
	batch := x.one[:0]
	for i := range selected {
		batch = append(batch, selected[i].Event)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(x.call.Context()), x.deadline)
	defer cancel()
	outcomes, err := h.Inbox.Accept(ctx, batch)
	if err != nil {
		h.fail(x, r, err)
		return false
	}
	r.traffic.note(func(now *Traffic) { now.LastEvent = x.arrived })
	answered := answerDuplicate
	for i, outcome := range outcomes {
		if outcome != inbox.Stored {
			r.metrics.Duplicates.Add(1)
			continue
		}
		answered = answerAccepted
		r.metrics.Accepted.Add(1)
		h.Metrics.AcceptedEvents.WithLabelValues(h.Metrics.EventNames.Inc(selected[i].KnownName)).Inc()
	}
	if answered == answerAccepted {
		x.conn.Verify() // a captured call, sent again, earns nothing
	}
	x.end(answered)
	return true
}

// fail refuses a call whose events the inbox did not take.
func (h *Handler) fail(x *exchange, r *route, err error) {
	why, lines := answerFailed, &h.inboxFailed
	switch {
	case errors.Is(err, inbox.ErrFull):
		why, lines = answerFull, &h.inboxFull
	case errors.Is(err, inbox.ErrDiskFull):
		why, lines = answerDiskFull, &h.diskFull
	case errors.Is(err, context.DeadlineExceeded):
		why, lines = answerNotInTime, &h.inboxLate
	}
	if lines.allows(x.arrived) {
		h.Log.Error(err, "the inbox does not take events; callers are answered 503", "channel", r.Name, "reason", why.reason)
	}
	h.refuse(x, r.Name, why)
}

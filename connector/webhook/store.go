package webhook

import (
	"context"
	"errors"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// triage tells the parts of a call that are to be stored from those that are only
// counted. If one part is refused, so is the whole call.
func (h *Handler) triage(x *exchange, r *route, reading channel.Reading) {
	if len(reading.Calls) == 0 {
		h.ignore(x, r.Name, ignoredProbe)
		return
	}
	selected, left := reading.Calls[:0], []*ignored(nil)
	for i := range reading.Calls {
		part := &reading.Calls[i]
		switch why := r.leavesOut(part); {
		case why != nil:
			left = append(left, why)
		case reading.Verified && h.isStale(x, r, part):
			h.refuse(x, answerStale, r.Name, reasonStale)
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
		x.shape.answer(left[0].reply).write(x)
	}
}

// leavesOut returns why a part of a call is not stored, nil if it is.
func (r *route) leavesOut(part *channel.Call) *ignored {
	switch {
	case part.Kind == channel.KindConsoleTest:
		return ignoredConsoleTest
	case part.Kind == channel.KindForeignAccount:
		return ignoredForeignAccount
	case !r.events.selects(part.Name):
		return ignoredExcluded
	}
	return nil
}

// store answers 200 only when the inbox says that all events are durable. A caller
// that hangs up does not stop it: the events are real, and their retry will be
// recognised. It reports whether they are stored.
func (h *Handler) store(x *exchange, r *route, selected []channel.Call) bool {
	batch := make([]event.Event, len(selected))
	for i := range selected {
		batch[i] = selected[i].Event
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(x.call.Context()), x.deadline)
	defer cancel()
	outcomes, err := h.inbox.Accept(ctx, batch)
	if err != nil {
		h.fail(x, r, err)
		return false
	}
	r.traffic.stored(x.arrived)
	reply := answerDuplicate
	for i, outcome := range outcomes {
		if outcome != inbox.Stored {
			r.metrics.Duplicates.Add(1)
			continue
		}
		reply = answerAccepted
		r.metrics.Accepted.Add(1)
		h.metrics.AcceptedEvents.WithLabelValues(selected[i].KnownName).Inc()
	}
	if reply == answerAccepted {
		x.conn.Verify() // a captured call, sent again, earns nothing
	}
	x.shape.answer(reply).write(x)
	return true
}

// fail refuses a call whose event the inbox did not take.
func (h *Handler) fail(x *exchange, r *route, err error) {
	a, reason, lines := answerFailed, reasonInboxFailed, &h.inboxFailed
	switch {
	case errors.Is(err, inbox.ErrFull):
		a, reason, lines = answerFull, reasonInboxFull, &h.inboxFull
	case errors.Is(err, inbox.ErrDiskFull):
		a, reason, lines = answerDiskFull, reasonDiskFull, &h.diskFull
	case errors.Is(err, context.DeadlineExceeded):
		a, reason, lines = answerNotInTime, reasonTimeout, &h.inboxLate
	}
	if lines.allows(x.arrived) {
		h.log.Error(err, "the inbox does not take events; callers are answered 503", "channel", r.Name, "reason", reason)
	}
	h.refuse(x, a, r.Name, reason)
}

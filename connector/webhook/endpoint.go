package webhook

import (
	"context"
	"net/http"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// serveEndpoint has the channel type answer a call that has a place. The caller is none of the platform's: nothing is
// stored.
func (h *Handler) serveEndpoint(x *exchange, r *route, e *channel.Endpoint) {
	body, err := bodyReader{x.call.Body, x.call.ContentLength, e.MaxBodySize, &x.ticket}.read()
	if arrived := x.ticket.arrive(); err != nil || !arrived {
		h.refuse(x, r.Name, bodyRefusal(err, !arrived))
		return
	}
	ctx, cancel := context.WithDeadline(x.call.Context(), x.deadline)
	defer cancel()
	served, reason := e.Serve(ctx, x.call.Header, body)
	a := newPageAnswer(served)
	if a.Status < http.StatusMultipleChoices {
		x.conn.Verify()
		r.traffic.note(func(now *Traffic) { touch(now.APIKeys, x.apiKey, x.arrived) })
		r.metrics.Ignored.Inc(string(reason))
	} else {
		h.noteRefusal(x, r.Name, string(reason))
	}
	a.write(x)
}

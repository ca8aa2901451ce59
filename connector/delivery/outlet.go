package delivery

import (
	"sync/atomic"

	"xbot.a4b.vn/channel-connector/connector/sink"
)

// outlet is a sink with its users: the pump that starts attempts at it, and the attempts under way. The last one to
// leave closes it, so that a reload never closes a sink under an attempt.
type outlet struct {
	sink.Sink
	users atomic.Int64
}

func newOutlet(s sink.Sink) *outlet {
	o := &outlet{Sink: s}
	o.users.Store(1)
	return o
}

// join adds a user; the caller must know that another one is still there.
func (o *outlet) join() { o.users.Add(1) }

func (o *outlet) leave() {
	if o.users.Add(-1) == 0 {
		o.Close()
	}
}

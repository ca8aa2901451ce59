package delivery

import (
	"sync/atomic"

	"xbot.a4b.vn/channel-connector/connector/sink"
)

// outlet is a sink with its users: the pump that starts attempts at it, and the attempts under way. The last one to
// leave closes it, so that a reload never closes a sink under an attempt.
type outlet struct {
	sink.Sink
	others atomic.Int64 // the users without the first one
}

// join adds a user; the caller must know that another one is still there.
func (o *outlet) join() { o.others.Add(1) }

func (o *outlet) leave() {
	if o.others.Add(-1) < 0 {
		o.Close()
	}
}

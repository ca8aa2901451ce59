package delivery

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// How long to wait before an operation that the store failed is tried again.
// The first wait is short because conversations stand still meanwhile; the last
// bounds the load on a store in trouble.
const (
	firstStoreWait = 100 * time.Millisecond
	lastStoreWait  = 5 * time.Second
)

// storeCalls repeats one kind of call to the inbox until it works, and logs when
// the calls begin to fail and when they work again, not each failure.
type storeCalls struct {
	what    string
	log     logr.Logger
	failing atomic.Bool
}

// until repeats call until it succeeds. It gives up when ctx ends, the inbox is
// closed or the claim is lost, and returns the last error then.
func (s *storeCalls) until(ctx context.Context, call func() error) error {
	for wait := firstStoreWait; ; wait = min(2*wait, lastStoreWait) {
		err := call()
		if errors.Is(err, inbox.ErrClosed) || errors.Is(err, inbox.ErrLost) || ctx.Err() != nil {
			return err
		}
		s.observe(err)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (s *storeCalls) observe(err error) {
	if failing := err != nil; s.failing.Load() == failing || s.failing.Swap(failing) == failing {
		return
	}
	if err != nil {
		s.log.Error(err, "The inbox fails; trying again until it works", "operation", s.what)
		return
	}
	s.log.Info("The inbox works again", "operation", s.what)
}

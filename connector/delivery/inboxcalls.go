package delivery

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// How long to wait before a call that the inbox failed is repeated. The first wait is short because conversations stand
// still meanwhile; the last bounds the load on an inbox in trouble.
const (
	firstCallWait = 100 * time.Millisecond
	lastCallWait  = 5 * time.Second
)

// inboxCalls repeats one kind of call to the inbox until it works, and logs when the calls begin to fail and when they
// work again, not each failure.
type inboxCalls struct {
	what string
	// final is an error after which no repeat would work, as after that of a closed inbox; nil for none.
	final   error
	log     logr.Logger
	failing atomic.Bool
}

// until repeats call until it succeeds. It gives up when ctx ends, the inbox is closed or the error is final, and
// returns the last error then.
func (s *inboxCalls) until(ctx context.Context, call func() error) error {
	for wait := firstCallWait; ; wait = min(2*wait, lastCallWait) {
		err := call()
		if errors.Is(err, inbox.ErrClosed) || s.final != nil && errors.Is(err, s.final) || ctx.Err() != nil {
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

func (s *inboxCalls) observe(err error) {
	if failing := err != nil; s.failing.Load() == failing || s.failing.Swap(failing) == failing {
		return
	}
	if err == nil {
		s.log.Info("The inbox works again", "operation", s.what)
	} else {
		s.log.Error(err, "The inbox fails; trying again until it works", "operation", s.what)
	}
}

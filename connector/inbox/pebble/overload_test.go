package pebble_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
)

// TestHangingDisk gives callers of a disk that hangs up after their time, and refuses more before the memory is full of
// what they left behind.
func TestHangingDisk(t *testing.T) {
	hang, clock := make(chan struct{}), inboxtest.NewClock()
	var hanging atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if hanging.Load() && op.Kind == errorfs.OpFileSyncData {
			<-hang
		}
		return nil
	}))
	s := open(t, options(t, clock, fs))
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	gaveUp, cancel := context.WithCancel(t.Context())
	cancel()
	accept := func(ctx context.Context, n int) (inbox.Outcome, error) {
		e := inboxtest.Event("chat/shop", "an", n)
		e.Body = make([]byte, 1<<20)
		return acceptOne(ctx, s, e)
	}
	hanging.Store(true)
	n := 0
	for ; n < 200; n++ {
		if _, err := accept(gaveUp, n); errors.Is(err, inbox.ErrOverloaded) {
			break
		}
	}
	if n < 60 || n > 70 {
		t.Errorf("refused after %d MiB, want about 64", n)
	}
	close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for { // once the disk has caught up
		outcome, err := accept(ctx, n)
		if errors.Is(err, inbox.ErrOverloaded) && ctx.Err() == nil {
			continue
		}
		if err != nil || outcome != inbox.Stored {
			t.Fatalf("after the hang: outcome %v, error %v; want stored", outcome, err)
		}
		break
	}
	for i := range n {
		if outcome, err := accept(ctx, i); err != nil || outcome != inbox.Duplicate {
			t.Fatalf("event %d: outcome %v, error %v; want a duplicate of what its caller gave up", i, outcome, err)
		}
	}
}

package pebble_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// large is an event of 1 MiB in a lane of its own.
func large(n int) event.Event {
	e := inboxtest.Event("chat/shop", fmt.Sprint("lane-", n), n)
	e.Body = make([]byte, 1<<20)
	return e
}

// resizing changes the store's memory until the function that it returns is called.
func resizing(s *pebble.Inbox) (end func()) {
	stop := make(chan struct{})
	var changes sync.WaitGroup
	changes.Go(func() {
		often := time.NewTicker(time.Millisecond)
		defer often.Stop()
		for n := int64(0); ; n++ {
			select {
			case <-stop:
				return
			case <-often.C:
				s.Resize(n%16<<20, 64<<20)
			}
		}
	})
	return func() {
		close(stop)
		changes.Wait()
	}
}

func settleOne(t *testing.T, s *pebble.Inbox) {
	t.Helper()
	var claims []inbox.Claim
	poll.Until(t, "a claim", func() bool {
		var err error
		if claims, _, err = s.Consumer("chat/shop").Claim(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		return len(claims) == 1
	})
	if len(claims[0].Event.Body) != 1<<20 {
		t.Errorf("a body of %d bytes came back", len(claims[0].Event.Body))
	}
	if err := settle(t.Context(), s, claims[0], inbox.Taken{}); err != nil {
		t.Fatal(err)
	}
}

// TestSmallMemory: with the least memory, events that are larger than a table in memory are stored, claimed and found
// again after a restart, while the memory changes all the time.
func TestSmallMemory(t *testing.T) {
	clock, fs := inboxtest.NewClock(), vfs.NewMem()
	o := options(t, clock, fs)
	o.CacheSize, o.QueueSize, o.MemTableSize = 1<<20, 16<<20, 1<<20
	s := open(t, o)
	end := resizing(s)
	const events = 12
	var storing sync.WaitGroup
	for n := range events {
		storing.Go(func() {
			e := large(n)
			if outcome, err := acceptOne(t.Context(), s, e); err != nil || outcome != inbox.Stored {
				t.Errorf("event %d: %v, %v", n, outcome, err)
			}
		})
	}
	storing.Wait()
	for range events / 2 {
		settleOne(t, s)
	}
	end()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.Resize(1, 1) // after the end, which is no harm
	s = open(t, o)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range events / 2 {
		settleOne(t, s)
	}
	if stats, err := s.Stats(context.Background(), "chat/shop"); err != nil || stats.Pending != 0 {
		t.Errorf("in the end: %+v, %v", stats, err)
	}
}

// TestLessMayWait: a store that has less memory refuses calls sooner when its disk hangs, and loses nothing of what
// waits already.
func TestLessMayWait(t *testing.T) {
	hang := make(chan struct{})
	var hanging atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if hanging.Load() && op.Kind == errorfs.OpFileSyncData {
			<-hang
		}
		return nil
	}))
	s := open(t, options(t, inboxtest.NewClock(), fs))
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	gaveUp, cancel := context.WithCancel(t.Context())
	cancel()
	hanging.Store(true)
	accept := func(n int) error {
		_, err := acceptOne(gaveUp, s, large(n))
		return err
	}
	for n := range 20 {
		if err := accept(n); errors.Is(err, inbox.ErrOverloaded) {
			t.Fatalf("refused after %d MiB of 64", n)
		}
	}
	s.Resize(1<<20, 8<<20)
	if err := accept(20); !errors.Is(err, inbox.ErrOverloaded) {
		t.Errorf("20 MiB wait where 8 may: %v", err)
	}
	close(hang)
	for n := range 20 {
		outcome, err := acceptOne(t.Context(), s, large(n))
		if err != nil && !errors.Is(err, inbox.ErrOverloaded) || err == nil && outcome != inbox.Duplicate {
			t.Errorf("event %d, whose caller gave up: %v, %v", n, outcome, err)
		}
	}
	poll.Until(t, "what waited", func() bool {
		stats, err := s.Stats(context.Background(), "chat/shop")
		return err == nil && stats.Pending == 20
	})
}

package pebble_test

import (
	"bytes"
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/go-logr/logr/funcr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// readFault fails the reads that one function makes, and counts them.
type readFault struct {
	function string
	failing  atomic.Bool
	failed   atomic.Int64
}

// MaybeError implements errorfs.Injector.
func (f *readFault) MaybeError(op errorfs.Op) error {
	if !f.failing.Load() || op.Kind != errorfs.OpFileReadAt || !bytes.Contains(debug.Stack(), []byte(f.function)) {
		return nil
	}
	f.failed.Add(1)
	return syscall.EIO
}

// String implements errorfs.Injector.
func (f *readFault) String() string { return "reads of " + f.function }

// TestParkingFails has a disk fail for a while just when the events of a crowded lane are put aside. They are large, so
// that no cache holds the ones before.
func TestParkingFails(t *testing.T) {
	const crowd, size = 70, 200 << 10
	fault, clock := &readFault{function: "(*parking).apply"}, inboxtest.NewClock()
	var log atomic.Int64
	o := options(t, clock, errorfs.Wrap(vfs.NewMem(), fault))
	o.Log = funcr.New(func(_, line string) {
		if strings.Contains(line, "cannot be moved to disk") {
			log.Add(1)
		}
	}, funcr.Options{})
	s := open(t, o)
	noise := newFiller(t, s).noise
	for n := range crowd {
		e := inboxtest.Event(workChannel, "an", n)
		e.Body = noise[n : n+size]
		if _, err := acceptOne(t.Context(), s, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	defer func() { _ = s.Close() }()

	fault.failing.Store(true)
	claims, _, err := s.Consumer(workChannel).Claim(context.Background(), 2)
	if err != nil || len(claims) != 1 {
		t.Fatalf("claimed %v, error %v; want one event", claims, err)
	}
	held := claims[0]
	poll.Until(t, "the failure in the log", func() bool { return log.Load() == 1 })
	failed := fault.failed.Load()
	for range 100 {
		claims, wait, err := s.Consumer(workChannel).Claim(context.Background(), 10)
		if err != nil || len(claims) > 0 || wait == 0 {
			t.Fatalf("claimed %v, more after %v, error %v; want nothing before a while has passed", claims, wait, err)
		}
	}
	if now := fault.failed.Load(); now != failed || log.Load() != 1 {
		t.Errorf("the failing disk was read %d times more", now-failed)
	}

	fault.failing.Store(false)
	clock.Advance(time.Minute)
	for n := range crowd {
		if held.Event.ID != inboxtest.Event(workChannel, "an", n).ID {
			t.Fatalf("claimed another than event %d", n)
		}
		if err := settle(t.Context(), s, held, inbox.Taken{}); err != nil {
			t.Fatal(err)
		}
		if n+1 < crowd {
			held = claimOne(t, s)
		}
	}
}

// claimOne waits until an event can be claimed.
func claimOne(t *testing.T, s *pebble.Inbox) (claim inbox.Claim) {
	t.Helper()
	poll.Until(t, "a claim", func() bool {
		claims, _, err := s.Consumer(workChannel).Claim(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(claims) == 1 {
			claim = claims[0]
		}
		return len(claims) == 1
	})
	return claim
}

// TestTimersFailToBeRead has a disk fail for a moment just when the times of retries are read. The retries must not be
// forgotten over it.
func TestTimersFailToBeRead(t *testing.T) {
	fault, clock := &readFault{function: "(*claiming).due"}, inboxtest.NewClock()
	o := options(t, clock, errorfs.Wrap(vfs.NewMem(), fault))
	s := open(t, o)
	if _, err := acceptOne(t.Context(), s, inboxtest.Event(workChannel, "an", 1)); err != nil {
		t.Fatal(err)
	}
	if err := settle(t.Context(), s, claimOne(t, s), inbox.Retry{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	defer func() { _ = s.Close() }()
	fault.failing.Store(true)
	if _, _, err := s.Consumer(workChannel).Claim(context.Background(), 1); !errors.Is(err, syscall.EIO) {
		t.Fatalf("error %v, want that of the disk", err)
	}
	fault.failing.Store(false)
	if claims, wait, err := s.Consumer(workChannel).Claim(context.Background(), 1); err != nil || len(claims) != 1 {
		t.Errorf("claimed %v, more after %v, error %v; want the retry", claims, wait, err)
	}
}

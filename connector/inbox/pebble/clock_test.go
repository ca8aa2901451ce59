package pebble_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// TestOneStartInTheFuture starts a store once while the clock is ten years ahead. Ids must expire after it as they did
// before.
func TestOneStartInTheFuture(t *testing.T) {
	clock, fs, sent := inboxtest.NewClock(), vfs.NewMem(), 0
	start := clock.Now()
	o := options(t, clock, fs)
	o.Log = logr.Discard()
	s := open(t, o)
	defer func() { _ = s.Close() }()
	accept := func() {
		sent++
		outcome, err := acceptOne(t.Context(), s, inboxtest.Event(workChannel, "an", sent))
		if err != nil || outcome != inbox.Stored {
			t.Fatalf("accept: %v, %v", outcome, err)
		}
	}
	for _, now := range []time.Time{start.AddDate(10, 0, 0), start.Add(time.Hour)} {
		accept()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		clock.Set(now)
		clock.Restart()
		s = open(t, o)
	}
	for range 30 * 24 {
		clock.Advance(time.Hour)
		accept()
		if err := s.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// Ids expire in runs that span an eighth of the window.
	const least, most = 24, 24 + 24/8 + 1
	if n, err := s.KnownIDs(); err != nil || n < least || n > most {
		t.Errorf("%d ids are kept, error %v; want %d to %d", n, err, least, most)
	}
}

// killed is what a store's disk holds when its process is killed, with the machine's clock as it is.
func killed(t *testing.T, s *pebble.Inbox, fs *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	clone := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return clone
}

// waiting is a store with one event that is due after a while.
func waiting(t *testing.T, o pebble.Options, after time.Duration) *pebble.Inbox {
	t.Helper()
	s := open(t, o)
	if _, err := acceptOne(t.Context(), s, inboxtest.Event(workChannel, "an", 1)); err != nil {
		t.Fatal(err)
	}
	if err := settle(t.Context(), s, claimOne(t, s), inbox.Retry{After: after}); err != nil {
		t.Fatal(err)
	}
	return s
}

func checkWait(t *testing.T, s *pebble.Inbox, want time.Duration) {
	t.Helper()
	claims, wait, err := s.Consumer(workChannel).Claim(context.Background(), 1)
	if err != nil || len(claims) > 0 || wait != want {
		t.Errorf("%d claims, more after %v, error %v; want none for %v", len(claims), wait, err, want)
	}
}

// TestIdleTimeIsStored kills a store that had nothing to store for hours, while the clock is set back, so that only its
// own reading can know of them.
func TestIdleTimeIsStored(t *testing.T) {
	clock, fs := inboxtest.NewClock(), vfs.NewCrashableMem()
	s := waiting(t, options(t, clock, fs), 100*time.Hour)
	clock.Advance(20 * time.Hour)                 // less than the window: no id expires
	if err := s.Expire(t.Context()); err != nil { // as every minute
		t.Fatal(err)
	}
	left := killed(t, s, fs)
	clock.Set(clock.Now().AddDate(0, 0, -1))
	clock.Restart()
	s = open(t, options(t, clock, left))
	defer func() { _ = s.Close() }()
	checkWait(t, s, 80*time.Hour)
}

// TestClockSetWhileOpen sets the clock of an idle store, whose process is killed before it has anything else to store:
// the jump must not pass for a downtime.
func TestClockSetWhileOpen(t *testing.T) {
	const after = 100 * time.Hour
	for name, by := range map[string]time.Duration{"ahead": 56 * 365 * 24 * time.Hour, "ahead a little": 2 * time.Second, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			clock, fs := inboxtest.NewClock(), vfs.NewCrashableMem()
			o := options(t, clock, fs)
			if err := waiting(t, o, after).Close(); err != nil {
				t.Fatal(err)
			}
			s := open(t, o) // with no checkpoint to make
			defer func() { _ = s.Close() }()
			clock.Set(clock.Now().Add(by))
			clock.Advance(time.Hour) // which a start after a clock that was set back would miss
			poll.Until(t, "a wait after a restart that is an hour shorter", func() bool {
				return waitAfterKill(t, clock, fs) == after-time.Hour
			})
		})
	}
}

// waitAfterKill is how long a store's event waits if its process is killed now, and started at once.
func waitAfterKill(t *testing.T, clock *inboxtest.Clock, fs *vfs.MemFS) time.Duration {
	t.Helper()
	o := options(t, clock, fs.CrashClone(vfs.CrashCloneCfg{}))
	o.Log = logr.Discard()
	s := open(t, o)
	defer func() { _ = s.Close() }()
	_, wait, err := s.Consumer(workChannel).Claim(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

// TestYoungDeaths kills a store again and again before it stores anything. Time goes on all the same.
func TestYoungDeaths(t *testing.T) {
	clock, fs := inboxtest.NewClock(), vfs.NewCrashableMem()
	o := options(t, clock, fs)
	o.Log = logr.Discard()
	s := waiting(t, o, 100*time.Hour)
	const deaths = 30
	for range deaths {
		fs = killed(t, s, fs)
		clock.Advance(2 * time.Hour)
		clock.Restart()
		o.FS = fs
		s = open(t, o)
	}
	defer func() { _ = s.Close() }()
	checkWait(t, s, 100*time.Hour-deaths*2*time.Hour)
}

// TestUnreadableClock: a store whose clock is lost must not begin at zero, since everything in it would then be from a
// time to come.
func TestUnreadableClock(t *testing.T) {
	whole := newDiskStore(t)
	whole.open()
	whole.accept(1)
	whole.close()
	for name, change := range map[string]func(*records){
		"lost":           func(r *records) { r.remove('a') },
		"empty":          func(r *records) { r.set('a', nil) },
		"of a newer":     func(r *records) { r.set('a', []byte{9, 2, 2, 2}) },
		"zero":           func(r *records) { r.set('a', []byte{1, 0, 2, 2}) },
		"before zero":    func(r *records) { r.set('a', []byte{1, 1, 2, 2}) },
		"too long":       func(r *records) { r.set('a', []byte{1, 2, 2, 2, 2}) },
		"without a time": func(r *records) { r.set('a', []byte{1, 2}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := whole.copy(t)
			d.alter(change)
			o := options(t, d.clock, vfs.Default)
			o.Path = d.path
			s, err := pebble.Open(o)
			if err == nil {
				_ = s.Close()
				t.Fatal("the store opened")
			}
			for _, want := range []string{"damaged record", "connector inbox export --path " + d.path} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
			x := d.examine()
			if len(x.exported) != len(diskChannels) || len(x.findings) == 0 || len(x.checked) == 0 {
				t.Errorf("exported %d events, findings %v, checked %v", len(x.exported), x.findings, x.checked)
			}
		})
	}
}

// TestRefusedCallsWriteNothing: a call that stores nothing must not even store the time, or a flood of them would wear
// out or fill the disk.
func TestRefusedCallsWriteNothing(t *testing.T) {
	var writes atomic.Int64
	counted := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log") {
			writes.Add(1)
		}
		return nil
	})
	o := options(t, inboxtest.NewClock(), errorfs.Wrap(vfs.NewMem(), counted))
	s := open(t, o)
	defer func() { _ = s.Close() }()
	e := inboxtest.Event(workChannel, "an", 1)
	for n := range 100 {
		if n == 1 {
			writes.Store(0)
		}
		want := inbox.Duplicate
		if n == 0 {
			want = inbox.Stored
		}
		if got, err := acceptOne(t.Context(), s, e); err != nil || got != want {
			t.Fatalf("accept: %v, %v; want %v", got, err, want)
		}
	}
	if n := writes.Load(); n > 0 {
		t.Errorf("99 duplicates wrote %d times", n)
	}
}

// TestWaitForever: a wait that no clock can count is kept, and hurts no other.
func TestWaitForever(t *testing.T) {
	clock := inboxtest.NewClock()
	clock.Advance(time.Hour)
	s := waiting(t, options(t, clock, vfs.NewMem()), inbox.Never)
	defer func() { _ = s.Close() }()
	checkWait(t, s, inbox.Never)
	if _, err := acceptOne(t.Context(), s, inboxtest.Event(workChannel, "binh", 1)); err != nil {
		t.Fatal(err)
	}
	if got := claimOne(t, s); got.Lane != "binh" {
		t.Errorf("claimed of %s", got.Lane)
	}
}

package pebble_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// TestFailedStart lets starts fail at their end, where the flush of the log that was replayed has just made the table
// that is one too many. The start must return the cause, and not leave behind what dies of it.
func TestFailedStart(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	mem := vfs.NewCrashableMem()
	o := options(t, inboxtest.NewClock(), mem)
	o.Log = logr.Discard()
	for life := range 7 {
		liveShortly(t, o, life)
		for n := range int64(6) {
			for _, f := range startFaults {
				failStart(t, o, mem.CrashClone(vfs.CrashCloneCfg{}), &injected{fault: f, first: 1 + n%2})
			}
		}
	}
}

// failStart starts the store on disk with a fault, and without it.
func failStart(t *testing.T, o pebble.Options, disk *vfs.MemFS, f *injected) {
	t.Helper()
	o.FS = errorfs.Wrap(disk, f)
	if _, err := pebble.Open(o); !errors.Is(err, f.cause) || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("%v: %v, want that the disk is full", f, err)
	}
	o.FS = disk
	if err := open(t, o).Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNoSpaceBeforeOpenReturns: a compaction may meet the end of the disk before the store has measured it.
func TestNoSpaceBeforeOpenReturns(t *testing.T) {
	var log strings.Builder
	o := options(t, inboxtest.NewClock(), nil)
	o.Log = funcr.New(func(_, line string) { log.WriteString(line) }, funcr.Options{})
	pebble.FailEarly(o, syscall.ENOSPC)
	if !strings.Contains(log.String(), "free space") {
		t.Errorf("logged %s", log.String())
	}
}

// TestStartsCompact: a store that only starts and stops compacts all the same.
func TestStartsCompact(t *testing.T) {
	o := options(t, inboxtest.NewClock(), vfs.NewMem())
	o.Log = logr.Discard()
	life := 0
	poll.Until(t, "a compaction", func() bool {
		life++
		return liveShortly(t, o, life) > 0
	})
}

// liveShortly leaves a log that the next start flushes to a table.
func liveShortly(t *testing.T, o pebble.Options, life int) (compactions int64) {
	t.Helper()
	s := open(t, o)
	for n := range 20 {
		if err := accepts(t, s, 1+20*life+n); err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			if err := settle(t.Context(), s, claimOne(t, s), inbox.Taken{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	compactions = s.Compactions()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return compactions
}

package pebble_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
)

// TestPowerLossInABatch cuts the power around every write and sync while one batch is stored that takes many blocks of
// the log, each time with another part of what was not synced on the disk. All of the batch is there afterwards, or
// nothing of it.
func TestPowerLossInABatch(t *testing.T) {
	const events = 40
	batch := make([]event.Event, events)
	for n := range batch {
		batch[n] = inboxtest.Event(workChannel, "an", n)
		batch[n].Body = append(batch[n].Body, strings.Repeat(" ", 5<<10)...)
	}
	cuts := &batchCuts{fs: vfs.NewCrashableMem(), random: rand.New(rand.NewPCG(rand.Uint64(), 0))}
	o := options(t, inboxtest.NewClock(), errorfs.Wrap(cuts.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSyncData {
			cuts.cut()
		}
		return nil
	})))
	o.Log = logr.Discard()
	s := open(t, o)
	cuts.begin()
	if _, err := s.Accept(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	cuts.cut()
	stores := cuts.end()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	seen, last := make(map[int64]int), int64(0)
	for _, fs := range stores {
		last = pendingIn(t, fs)
		seen[last]++
	}
	if seen[0] == 0 || seen[events] == 0 || len(seen) > 2 {
		t.Errorf("stores by the events that they hold: %v, want some with none, some with %d, and no other", seen, events)
	}
	if last != events {
		t.Errorf("%d events are there after the answer, want %d", last, events)
	}
}

// pendingIn opens a store and counts its pending events.
func pendingIn(t *testing.T, fs *vfs.MemFS) int64 {
	t.Helper()
	o := options(t, inboxtest.NewClock(), fs)
	o.Log = logr.Discard()
	s := open(t, o)
	stats, err := s.Stats(t.Context(), workChannel)
	if err != nil {
		t.Error(err)
	}
	if outcome, err := acceptOne(t.Context(), s, inboxtest.Event(workChannel, "binh", 1)); outcome != inbox.Stored {
		t.Errorf("the store takes no further event: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return stats.Pending
}

// batchCuts makes copies of a file system while it is told to.
type batchCuts struct {
	fs *vfs.MemFS

	mu      sync.Mutex
	random  *rand.Rand
	cutting bool
	stores  []*vfs.MemFS
}

func (c *batchCuts) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutting = true
}

func (c *batchCuts) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cutting {
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: c.random.IntN(101), RNG: c.random}
		c.stores = append(c.stores, c.fs.CrashClone(cfg))
	}
}

func (c *batchCuts) end() []*vfs.MemFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutting = false
	return c.stores
}

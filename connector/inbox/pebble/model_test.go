package pebble_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

func TestModel(t *testing.T) { inboxtest.Model(t, modelStorage) }

func FuzzModel(f *testing.F) {
	random := rand.NewChaCha8([32]byte{})
	for range 8 {
		plan := make([]byte, 8<<10)
		_, _ = random.Read(plan) // it never fails
		f.Add(plan)
	}
	inboxtest.FuzzModel(f, modelStorage)
}

// modelDisk is the disk of a store in the model test.
type modelDisk struct {
	clock *inboxtest.Clock
	store *pebble.Inbox
	// full: no more than Pebble needs itself is free. bound is the store's.
	full  atomic.Bool
	bound int64

	mu sync.Mutex
	fs *vfs.MemFS
	// left is what a power cut leaves, in so many syncs, and made once it is.
	left func() *vfs.MemFS
	made *vfs.MemFS
	in   int
}

const enoughRoom = 1 << 30

func modelStorage(clock *inboxtest.Clock) inboxtest.Storage {
	d := &modelDisk{clock: clock, fs: vfs.NewCrashableMem(), bound: enoughRoom}
	return inboxtest.Storage{Open: d.open, CutPower: d.cutPower, Fill: d.fill}
}

func (d *modelDisk) open(failed func(error)) (inbox.Inbox, error) {
	fs := d.fs
	s, err := pebble.Open(pebble.Options{
		Path: "inbox", MaxSize: d.bound, DeduplicationWindow: inboxtest.Window, MemTableSize: 64 << 10,
		Metrics: telemetry.New(prometheus.NewRegistry()), Log: logr.Discard(), Clock: d.clock,
		FS: smallFS{errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if !slices.Contains(syncs, op.Kind) {
				return nil
			}
			d.synced(fs)
			return syncEntry(fs, op.Path)
		})), &d.full},
		Fatal: func(cause error) {
			failed(cause)
			select {} // it must not return
		},
	})
	d.store = s
	return s, err
}

// synced counts the syncs until the power cut.
func (d *modelDisk) synced(of *vfs.MemFS) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == nil || d.fs != of {
		return
	}
	if d.in--; d.in == 0 {
		d.made = d.left()
	}
}

func (d *modelDisk) cutPower(sync, keptPercent int, seed uint64) (now func() (before bool)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fs := d.fs
	d.in = sync
	d.left = func() *vfs.MemFS {
		return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keptPercent, RNG: rand.New(rand.NewPCG(seed, 0))})
	}
	return func() (before bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if before = d.made != nil; !before {
			d.made = d.left()
		}
		d.fs, d.made, d.left = d.made, nil, nil
		return before
	}
}

func (d *modelDisk) fill(why error) {
	d.bound = enoughRoom
	if errors.Is(why, inbox.ErrFull) {
		d.bound = 1
	}
	d.store.SetBound(d.bound)
	d.full.Store(errors.Is(why, inbox.ErrDiskFull))
	d.store.Measure()
}

// smallFS has little room while it is full.
type smallFS struct {
	vfs.FS
	full *atomic.Bool
}

// GetDiskUsage implements vfs.FS.
func (s smallFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	const size = 1 << 40
	usage := vfs.DiskUsage{AvailBytes: size, TotalBytes: size}
	if s.full.Load() {
		usage.AvailBytes = 1
	}
	return usage, nil
}

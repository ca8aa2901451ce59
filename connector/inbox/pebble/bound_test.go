package pebble_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
)

// TestBound fills a store to its bound, empties a part, and once more. The store refuses at the bound, goes on
// settling, takes calls again without a restart, and takes little more of the disk than its bound: logs and what
// compactions write before they delete what they read, whose size does not depend on the bound. A volume that is made
// for a store has half the bound and 256 MiB for that.
func TestBound(t *testing.T) {
	const margin = 128 << 20
	for _, bound := range []int64{64 << 20, 128 << 20} { // 64 MiB is the least that a configuration may ask for
		t.Run(fmt.Sprintf("%dMi", bound>>20), func(t *testing.T) {
			o := options(t, inboxtest.NewClock(), vfs.Default)
			o.Path, o.MaxSize, o.Log = filepath.Join(t.TempDir(), "inbox"), bound, logr.Discard()
			s := open(t, o)
			f := newFiller(t, s)
			watched := watchDisk(t, o.Path)
			f.fill()
			// Logs that wait to be used again take up to half of the least bound, and stay: room comes once the events
			// take less than the rest.
			f.drain(f.stored.Load() / 2)
			f.awaitRoom()
			f.fill()
			f.drain(0)
			f.awaitRoom()
			most := watched()
			t.Logf("at most %d MiB", most>>20)
			if most > bound+margin {
				t.Errorf("the store took %d MiB of the disk, its bound is %d MiB", most>>20, bound>>20)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDiskFull fills a small disk, by the store and by others. See TestBound for what is promised.
func TestDiskFull(t *testing.T) {
	const disk = 128 << 20
	path := smallDisk(t, disk)
	o := options(t, inboxtest.NewClock(), vfs.Default)
	o.Path, o.MaxSize, o.Log = filepath.Join(path, "inbox"), 256<<20, logr.Discard()
	o.Fatal = func(cause error) { panic(cause) }
	s := open(t, o)
	f := newFiller(t, s)
	f.fill()
	f.drain(0)
	f.awaitRoom()

	others := filepath.Join(path, "others")
	occupy(t, others, freeSpace(t, path)-(16<<20))
	f.fill()
	f.drain(0)
	if err := os.Remove(others); err != nil {
		t.Fatal(err)
	}
	f.awaitRoom()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// smallDisk mounts a file system of its own, of so many bytes, in memory.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	path := t.TempDir()
	if err := mount(path, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(path); err != nil {
			t.Error(err)
		}
	})
	return path
}

func freeSpace(t *testing.T, path string) int64 {
	t.Helper()
	usage, err := vfs.Default.GetDiskUsage(path)
	if err != nil {
		t.Fatal(err)
	}
	return int64(usage.AvailBytes)
}

// occupy writes a file of so many bytes.
func occupy(t *testing.T, name string, size int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		t.Fatal(err)
	}
}

// watchDisk measures a folder until the returned function is called, which returns the most that it took.
func watchDisk(t *testing.T, path string) (most func() int64) {
	ctx, stop := context.WithCancel(t.Context())
	var peak atomic.Int64
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			peak.Store(max(peak.Load(), folderSize(path)))
			<-tick.C
		}
	})
	return func() int64 {
		stop()
		watch.Wait()
		return peak.Load()
	}
}

// folderSize adds up what the files in a folder take of the disk.
func folderSize(path string) (size int64) {
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // removed meanwhile
		}
		if info, err := d.Info(); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				size += stat.Blocks * 512
			}
		}
		return nil
	})
	return size
}

// filler fills and drains a store.
type filler struct {
	t     *testing.T
	store *pebble.Inbox
	// noise is what bodies are cut from.
	noise  []byte
	next   atomic.Int64
	stored atomic.Int64
}

func newFiller(t *testing.T, s *pebble.Inbox) *filler {
	noise := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it never fails
	return &filler{t: t, store: s, noise: noise}
}

// accept stores one event of 64 KiB that does not compress.
func (f *filler) accept() error {
	n := f.next.Add(1)
	e := inboxtest.Event(workChannel, "", int(n))
	e.Conversation = e.ID.String()
	const size = 64 << 10
	at := int(n) % (len(f.noise) - size)
	e.Body = f.noise[at : at+size]
	outcome, err := acceptOne(f.t.Context(), f.store, e)
	if outcome == inbox.Stored {
		f.stored.Add(1)
	}
	return err
}

// fill accepts until the store refuses.
func (f *filler) fill() {
	f.t.Helper()
	before := f.stored.Load()
	var calls sync.WaitGroup
	for range 16 {
		calls.Go(func() {
			for {
				switch err := f.accept(); {
				case errors.Is(err, inbox.ErrFull), errors.Is(err, inbox.ErrDiskFull):
					return
				case err != nil:
					f.t.Errorf("accept: %v", err)
					return
				}
			}
		})
	}
	calls.Wait()
	f.t.Logf("full after %d events", f.stored.Load()-before)
}

// drain takes what is pending but for a rest, while the store is full.
func (f *filler) drain(rest int64) {
	f.t.Helper()
	for {
		claims, _, err := f.store.Consumer(workChannel).Claim(context.Background(), 64)
		if err != nil {
			f.t.Fatalf("claim: %v", err)
		}
		var calls sync.WaitGroup
		for _, c := range claims {
			calls.Go(func() {
				if err := settle(f.t.Context(), f.store, c, inbox.Taken{}); err != nil {
					f.t.Errorf("settle: %v", err)
				}
			})
		}
		calls.Wait()
		stats, err := f.store.Stats(context.Background(), workChannel)
		if err != nil {
			f.t.Fatalf("stats: %v", err)
		}
		if stats.Pending <= rest {
			return
		}
	}
}

// awaitRoom waits until the store takes calls again.
func (f *filler) awaitRoom() {
	f.t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.Tick(10 * time.Millisecond); ; {
		switch err := f.accept(); {
		case err == nil:
			return
		case !errors.Is(err, inbox.ErrFull) && !errors.Is(err, inbox.ErrDiskFull):
			f.t.Fatalf("accept: %v", err)
		}
		select {
		case <-tick:
		case <-deadline:
			f.t.Fatal("the store is still full")
		}
	}
}

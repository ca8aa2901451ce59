package pebble_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
)

// TestPowerLoss cuts the power at every sync of a random workload: each time, a copy of the file system is made that
// holds what was synced, and another that holds some of the rest too, as a disk may have written it. Every copy is
// opened and compared with what the workload had been promised.
func TestPowerLoss(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	work := newWorkload(seed, inboxtest.NewClock())
	cuts := &powerCuts{work: work, random: rand.New(rand.NewPCG(seed, 1))}
	work.checkpointed = cuts.awaitSync
	o := options(t, work.clock, cuts.watch(vfs.NewCrashableMem()))
	o.Log = logr.Discard()
	if err := work.run(t, o); err != nil {
		t.Fatal(err)
	}
	cuts.check(t)
}

// powerCuts makes a copy of a file system at every sync.
type powerCuts struct {
	work   *workload
	random *rand.Rand

	mu   sync.Mutex
	cuts []*powerCut
}

// powerCut is what a power loss would have left, and what was promised then.
type powerCut struct {
	at  string
	fs  *vfs.MemFS
	now time.Time
	// before is what the workload knew before the copy was made, and after what it knew then: a promise counts from
	// before on, a change may have happened if it was begun by after.
	before, after ledger
	// fatal is the Fatal of the store that is checked; default: it panics.
	fatal func(cause error)
}

// A check costs much where Pebble checks its invariants, as it does under the race detector, so a few places are looked
// at less closely: every nth cut is followed by a second one, and of the second cuts every nth is checked.
const (
	nthCutTwice   = 16
	nthSecondCut  = 4
	checksAtATime = 4
)

// watch returns fs with a power cut at every sync: what is being synced at that moment may be lost.
func (c *powerCuts) watch(fs *vfs.MemFS) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !slices.Contains(syncs, op.Kind) {
			return nil
		}
		c.cut(fs, op.Path)
		return syncEntry(fs, op.Path)
	}))
}

// syncEntry makes a manifest's directory entry durable with its content. Pebble relies on it: journalling file systems
// never keep the marker that is made after the manifest and lose the manifest, but the one in memory may.
func syncEntry(fs *vfs.MemFS, path string) error {
	if !strings.HasPrefix(fs.PathBase(path), "MANIFEST-") {
		return nil
	}
	return syncFolder(fs, fs.PathDir(path))
}

// syncFolder makes what a folder lists durable.
func syncFolder(fs vfs.FS, path string) error {
	folder, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (c *powerCuts) cut(fs *vfs.MemFS, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, unsynced := range []int{0, 1 + c.random.IntN(100)} {
		cut := &powerCut{
			at:     fmt.Sprintf("sync %d of %s, %d %% of the unsynced kept", len(c.cuts)/2, path, unsynced),
			now:    c.work.clock.Now(),
			before: c.work.snapshot(),
		}
		cut.fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: c.random})
		cut.after = c.work.snapshot()
		c.cuts = append(c.cuts, cut)
	}
}

func (c *powerCuts) check(t *testing.T) {
	cuts := c.distinct(t)
	t.Logf("%d power cuts left %d different stores", len(c.cuts), len(cuts))
	slots := make(chan struct{}, checksAtATime)
	var checks sync.WaitGroup
	for i, cut := range cuts {
		slots <- struct{}{}
		checks.Go(func() {
			defer func() { <-slots }()
			if i%nthCutTwice == 0 {
				c.checkTwice(t, cut)
			}
			cut.check(t)
		})
	}
	checks.Wait()
}

// distinct merges cuts at the same time that left the same files: these have to hold all that was promised by the last
// such cut, and nothing that was begun after the first.
func (c *powerCuts) distinct(t *testing.T) (cuts []*powerCut) {
	type left struct {
		files [sha256.Size]byte
		now   time.Time
	}
	known := make(map[left]*powerCut)
	for _, cut := range c.cuts {
		l := left{digest(t, cut.fs), cut.now}
		if first := known[l]; first != nil {
			first.at += "; " + cut.at
			first.before = cut.before
			continue
		}
		known[l] = cut
		cuts = append(cuts, cut)
	}
	return cuts
}

// digest tells apart what file systems hold of a store.
func digest(t *testing.T, fs *vfs.MemFS) (sum [sha256.Size]byte) {
	names, err := fs.List("inbox")
	if errors.Is(err, os.ErrNotExist) {
		return sum
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	all := sha256.New()
	for _, name := range names {
		content := readFile(t, fs, fs.PathJoin("inbox", name))
		fmt.Fprintf(all, "%s %d\n%s", name, len(content), content)
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// awaitSync waits for a sync. When no call is under way it is a checkpoint's.
func (c *powerCuts) awaitSync() {
	count := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.cuts)
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for before := count(); count() == before; {
		select {
		case <-tick.C:
		case <-deadline:
			return
		}
	}
}

// checkTwice cuts the power again while the store recovers from the first cut.
func (c *powerCuts) checkTwice(t *testing.T, first *powerCut) {
	again := &powerCuts{work: c.work, random: rand.New(rand.NewPCG(uint64(len(first.at)), 2))}
	o := options(t, clockAt(first.now), again.watch(first.fs.CrashClone(vfs.CrashCloneCfg{})))
	o.Log = logr.Discard()
	if err := open(t, o).Close(); err != nil {
		t.Errorf("%s: %v", first.at, err)
	}
	for i, cut := range again.distinct(t) {
		if i%nthSecondCut != 0 {
			continue
		}
		cut.at = first.at + "; then at " + cut.at
		cut.now, cut.before, cut.after = first.now, first.before, first.after
		cut.check(t)
	}
}

// TestUnsynced holds up the sync of an accepted event. Until it ends the event must not be claimable, and a second call
// with it must wait too.
func TestUnsynced(t *testing.T) {
	var held atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	o := options(t, inboxtest.NewClock(), errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && slices.Contains(syncs, op.Kind) && held.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
		return nil
	})))
	s := open(t, o)
	defer func() { _ = s.Close() }()
	e := inboxtest.Event(workChannel, "an", 1)
	// Both calls may return in either order, so each has its own channel.
	first, second := make(chan inbox.Outcome, 1), make(chan inbox.Outcome, 1)
	accept := func(outcomes chan<- inbox.Outcome) {
		outcome, err := acceptOne(t.Context(), s, e)
		if err != nil {
			t.Errorf("accept: %v", err)
		}
		outcomes <- outcome
	}
	held.Store(true)
	go accept(first)
	<-reached
	go accept(second)
	// The store's memory shows the event a little after its sync has begun.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 50 {
		<-tick.C
		if claims, _, err := s.Consumer(workChannel).Claim(context.Background(), 1); len(claims) != 0 || err != nil {
			t.Fatalf("%d claimed before the sync, error %v", len(claims), err)
		}
	}
	if len(first)+len(second) != 0 {
		t.Error("a call was answered before the sync")
	}
	close(release)
	if f, s := <-first, <-second; f != inbox.Stored || s != inbox.Duplicate {
		t.Errorf("outcomes %v and %v", f, s)
	}
	if claims, _, err := s.Consumer(workChannel).Claim(context.Background(), 1); len(claims) != 1 || err != nil {
		t.Errorf("%d claimed after the sync, error %v", len(claims), err)
	}
}

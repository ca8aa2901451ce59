package pebble_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
)

// ownProcess is set in a process that runs one test only: a store that ends in the middle of its work leaves goroutines
// that nothing can end but the end of the process.
const ownProcess = "INBOX_TEST_OWN_PROCESS"

// inOwnProcess runs the calling test again in a process of its own, and is true there.
func inOwnProcess(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownProcess) != "" {
		return true
	}
	out, err := runAgain(t)
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

// runAgain runs the calling test in a process of its own.
func runAgain(t *testing.T, env ...string) (out []byte, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), ownProcess+"=1"), env...)
	return cmd.CombinedOutput()
}

// fault makes operations on some files fail with an error.
type fault struct {
	name string
	// files is a part of the names, and kinds are the operations.
	files string
	kinds []errorfs.OpKind
	// within says among how many operations the first to fail is.
	within int
	// fatal: the store cannot go on after it. Otherwise it goes on if the fault does not last, or does not open.
	fatal bool
	cause error
}

var faults = slices.Concat(startFaults, []fault{
	{"log write", ".log", writes, 80, true, syscall.EIO},
	{"log write, no space", ".log", writes, 80, true, syscall.ENOSPC},
	logSync,
	{"manifest write", "MANIFEST-", writes, 8, true, syscall.EIO},
	{"manifest sync", "MANIFEST-", syncs, 8, true, syscall.EIO},
	{"ledger write", "LEDGER", writes, 8, true, syscall.EIO},
	{"ledger write, no space", "LEDGER", writes, 8, false, syscall.ENOSPC},
	{"ledger sync", "LEDGER", syncs, 8, true, syscall.EIO},
	{"folder sync", "inbox", []errorfs.OpKind{errorfs.OpFileSync}, 30, true, syscall.EIO},
	{"table write", ".sst", writes, 8, true, syscall.EIO},
	{"table write, no space", ".sst", writes, 8, false, syscall.ENOSPC},
	{"table sync", ".sst", syncs, 4, true, syscall.EIO},
	{"table creation", ".sst", []errorfs.OpKind{errorfs.OpCreate}, 4, true, syscall.EIO},
})

var logSync = fault{"log sync", ".log", syncs, 60, true, syscall.EIO}

// startFaults fail what Pebble does at the end of a start.
var startFaults = []fault{
	{"log creation, no space", ".log", []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite}, 6, true, syscall.ENOSPC},
	{"options write, no space", ".dbtmp", writes, 6, true, syscall.ENOSPC},
}

var (
	writes = []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt}
	syncs  = []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}
)

// injected is a fault in use.
type injected struct {
	fault
	// first is the first operation to fail; when once is set it is the only one.
	first int64
	once  bool
	count atomic.Int64
}

// MaybeError implements errorfs.Injector.
func (i *injected) MaybeError(op errorfs.Op) error {
	for _, kind := range i.kinds {
		if op.Kind != kind || !strings.Contains(op.Path, i.files) {
			continue
		}
		if n := i.count.Add(1); n == i.first || n > i.first && !i.once {
			return &os.PathError{Op: i.name, Path: op.Path, Err: i.cause}
		}
	}
	return nil
}

// String implements errorfs.Injector.
func (i *injected) String() string {
	return fmt.Sprintf("%s %d, once %v", i.name, i.first, i.once)
}

func (i *injected) fired() bool { return i.count.Load() >= i.first }

// TestStorageErrors lets writes and syncs of every kind of file fail, once or from then on. What was answered as stored
// must be on disk, whatever happens, and a store that cannot go on must say why.
func TestStorageErrors(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, f := range faults {
		for _, once := range []bool{true, false} {
			i := &injected{fault: f, first: 1 + random.Int64N(int64(f.within)), once: once}
			t.Run(i.String(), func(t *testing.T) { storageError(t, i, random.Uint64()) })
		}
	}
}

func storageError(t *testing.T, i *injected, seed uint64) {
	mem := vfs.NewCrashableMem()
	work := newWorkload(seed, inboxtest.NewClock())
	work.faulty = true
	causes := make(chan error, 1)
	o := options(t, work.clock, errorfs.Wrap(mem, i))
	o.Log = logr.Discard()
	o.Fatal = func(cause error) {
		select {
		case causes <- cause:
		default:
		}
		select {} // it must not return
	}
	ended := make(chan error, 1)
	go func() { ended <- work.run(t, o) }()
	var cause error
	select {
	case cause = <-causes:
	case cause = <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the store neither ended nor went on")
	}
	work.end()
	switch {
	case cause != nil && !strings.Contains(cause.Error(), i.cause.Error()):
		t.Errorf("the cause is %v, want %v", cause, i.cause)
	case cause == nil && i.fired() && i.fatal:
		t.Error("the store went on")
	}
	cut := &powerCut{at: i.String(), now: work.clock.Now(), before: work.snapshot()}
	cut.fs = mem.CrashClone(vfs.CrashCloneCfg{})
	cut.after = work.snapshot()
	cut.check(t)
}

// TestExit lets the log's disk fail under a store with the default options, in a process of its own: the process must
// end with status 1 and say why, having promised nothing that the next one does not find.
func TestExit(t *testing.T) {
	const folder = "INBOX_TEST_FOLDER"
	path := os.Getenv(folder)
	if path != "" {
		acceptUntilTheEnd(t, path)
		return
	}
	path = t.TempDir() + "/inbox"
	out, err := runAgain(t, folder+"="+path)
	failed, ok := errors.AsType[*exec.ExitError](err)
	if !ok || failed.ExitCode() != 1 {
		t.Errorf("%v, want exit status 1", err)
	}
	for _, want := range []string{"can no longer keep its promises", syscall.EIO.Error(), "healthy disk"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	stored := strings.Count(string(out), storedLine)
	t.Logf("%d stored; the log:\n%s", stored, strings.ReplaceAll(string(out), storedLine, ""))
	o := options(t, inboxtest.NewClock(), vfs.Default)
	o.Path = path
	s := open(t, o)
	defer func() { _ = s.Close() }()
	for n := 1; n <= stored; n++ {
		if outcome, err := acceptOne(t.Context(), s, inboxtest.Event(workChannel, "an", n)); outcome != inbox.Duplicate {
			t.Errorf("event %d of %d: outcome %v, error %v", n, stored, outcome, err)
		}
	}
	if stats, err := s.Stats(context.Background(), workChannel); err != nil || stats.Pending < int64(stored) || stored == 0 {
		t.Errorf("%d pending of %d stored, error %v", stats.Pending, stored, err)
	}
}

const storedLine = "stored one\n"

// acceptUntilTheEnd ends with the process.
func acceptUntilTheEnd(t *testing.T, path string) {
	i := &injected{fault: logSync, first: 40}
	o := options(t, inboxtest.NewClock(), errorfs.Wrap(vfs.Default, i))
	o.Path, o.Fatal = path, nil
	o.Log = logr.FromSlogHandler(slog.NewTextHandler(os.Stdout, nil))
	s := open(t, o)
	for n := 1; ; n++ {
		outcome, err := acceptOne(t.Context(), s, inboxtest.Event(workChannel, "an", n))
		if err != nil || outcome != inbox.Stored {
			t.Fatalf("outcome %v, error %v", outcome, err)
		}
		_, _ = os.Stdout.WriteString(storedLine) // what is lost counts as not stored
	}
}

package pebble_test

import (
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
)

// damage is done to one file of a stopped store.
type damage struct {
	name string
	// file is how the file's name begins or ends; the newest such is damaged.
	file string
	// harm returns the new content, nil to delete the file.
	harm func(content []byte, random *rand.Rand) []byte
	// refused: the store must not open, or must end when it is read.
	refused bool
}

// flipped flips a bit somewhere in the file.
func flipped(content []byte, random *rand.Rand) []byte {
	content[random.IntN(len(content))] ^= 1 << random.IntN(8)
	return content
}

// cutIn cuts the file somewhere in a part of it, from its beginning.
func cutIn(part float64) func([]byte, *rand.Rand) []byte {
	return func(content []byte, random *rand.Rand) []byte {
		return content[:random.IntN(int(part*float64(len(content))))]
	}
}

func deleted([]byte, *rand.Rand) []byte { return nil }

// The damages. Where refused is false, damage that takes nothing away may go unnoticed; what takes away may not.
var damages = []damage{
	{"table flipped", ".sst", flipped, false},
	{"table cut", ".sst", cutIn(1), true},
	{"table deleted", ".sst", deleted, true},
	{"log flipped", ".log", flipped, true},
	{"log cut", ".log", cutIn(1), true},
	{"log emptied", ".log", func(b []byte, _ *rand.Rand) []byte { return b[:0] }, true},
	{"log deleted", ".log", deleted, true},
	{"log overwritten in its middle", ".log", func(b []byte, _ *rand.Rand) []byte {
		clear(b[len(b)/4 : len(b)/2])
		return b
	}, true},
	{"manifest flipped", "MANIFEST-", flipped, true},
	{"manifest cut", "MANIFEST-", cutIn(1), true},
	{"manifest emptied", "MANIFEST-", func(b []byte, _ *rand.Rand) []byte { return b[:0] }, true},
	{"manifest deleted", "MANIFEST-", deleted, true},
	{"marker of the manifest deleted", "marker.manifest.", deleted, true},
	{"marker of the format deleted", "marker.format-version.", deleted, true},
	{"ledger emptied", "LEDGER", func(b []byte, _ *rand.Rand) []byte { return b[:0] }, true},
	{"ledger deleted", "LEDGER", deleted, true},
	{"ledger flipped", "LEDGER", flipped, false},
	{"options flipped", "OPTIONS-", flipped, false},
}

// TestDamage harms the files of a stopped store. It must not open, or end when it comes to the damage, with a message
// that says what to do; or nothing is lost.
func TestDamage(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	mem := vfs.NewCrashableMem()
	work := newWorkload(seed, inboxtest.NewClock())
	o := options(t, work.clock, mem)
	o.Log = logr.Discard()
	if err := work.run(t, o); err != nil {
		t.Fatal(err)
	}
	leaveLog(t, work, o)
	for _, d := range damages {
		for range 3 {
			t.Run(d.name, func(t *testing.T) {
				cut := &powerCut{
					at: d.name, fs: mem.CrashClone(vfs.CrashCloneCfg{}), now: work.clock.Now(),
					before: work.snapshot(), after: work.snapshot(),
				}
				d.do(t, cut.fs, random)
				d.check(t, cut)
			})
		}
	}
}

// leaveLog ends a use of the store with a long log that was not flushed.
func leaveLog(t *testing.T, work *workload, o pebble.Options) {
	s := open(t, o)
	for range 10 {
		e := work.next("log")
		e.Body = append(e.Body, make([]byte, 12<<10)...)
		work.accept(t, s, e)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func (d damage) do(t *testing.T, fs *vfs.MemFS, random *rand.Rand) {
	names, err := fs.List("inbox")
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, d.file) && !strings.HasSuffix(name, d.file)
	})
	target := "inbox/" + slices.Max(names)
	content := readFile(t, fs, target)
	t.Logf("%s has %d bytes", target, len(content))
	if err := fs.Remove(target); err != nil {
		t.Fatal(err)
	}
	if content = d.harm(content, random); content == nil {
		return
	}
	f, err := fs.Create(target, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (d damage) check(t *testing.T, cut *powerCut) {
	causes := make(chan error, 16)
	cut.fatal = func(cause error) {
		causes <- cause
		select {} // it must not return
	}
	o := options(t, clockAt(cut.now), cut.fs)
	o.Log, o.Fatal = logr.Discard(), cut.fatal
	refusals, whole := make(chan error, 1), make(chan struct{})
	go func() {
		store, err := pebble.Open(o)
		if err != nil {
			refusals <- err
			return
		}
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		cut.check(t)
		close(whole)
	}()
	select {
	case cause := <-causes:
		t.Logf("ended: %v", cause)
	case err := <-refusals:
		t.Logf("refused: %v", err)
		for _, want := range []string{"inbox", "connector inbox check --path inbox", "connector inbox export --path inbox"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the refusal lacks %q", want)
			}
		}
	case <-whole:
		if d.refused {
			t.Error("the damage went unnoticed")
		}
	case <-time.After(time.Minute):
		t.Error("the store neither opened nor refused")
	}
}

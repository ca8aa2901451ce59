package pebble_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/examine"
)

// harmed is an image with one file that is not what it was.
type harmed struct {
	image
	file, how string
	// content is nil if the file is missing.
	content []byte
}

func (h harmed) String() string { return h.name + ": " + h.file + " " + h.how }

// harms are all the damages of one file: a bit flipped, the file cut and a page zeroed, each every so many bytes and
// near both ends, and the file emptied, deleted, grown, and replaced by each older version of itself.
func harms(i image, file string, older []image, stride int) (all []harmed) {
	whole := i.files[file]
	add := func(how string, content []byte) { all = append(all, harmed{i, file, how, content}) }
	add("deleted", nil)
	add("grown by zeros", append(bytes.Clone(whole), make([]byte, 5000)...))
	add("grown by noise", append(bytes.Clone(whole), bytes.Repeat([]byte{0xa5, 0x03, 0x5c, 1}, 300)...))
	for _, o := range older {
		if old := o.files[file]; old != nil && !bytes.Equal(old, whole) {
			add("replaced by that of "+o.name, old)
		}
	}
	for _, at := range places(len(whole), stride) {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << (at % 8)
		add(fmt.Sprint("flipped at ", at), flipped)
		add(fmt.Sprint("cut at ", at), bytes.Clone(whole[:at]))
		if zeroed := bytes.Clone(whole); len(bytes.Trim(zeroed[at:min(at+4096, len(zeroed))], "\x00")) > 0 {
			clear(zeroed[at:min(at+4096, len(zeroed))])
			add(fmt.Sprint("zeroed at ", at), zeroed)
		}
	}
	return all
}

// places are every so many bytes of a length, and some near both ends.
func places(length, stride int) (at []int) {
	for n := range length {
		if n%stride == 0 || n < 4 || length-n <= 4 || length-n == 20 {
			at = append(at, n)
		}
	}
	return at
}

// sampled is how many damages the test does unless SWEEP_STRIDE is set.
const sampled = 120

// TestHarmedFiles damages every file of a store in every way, after no, one and two restarts: either nothing that was
// acknowledged is missing, or the store refuses to serve, and everything outside the damaged file can be exported.
//
// SWEEP_STRIDE=n damages each file at every nth byte, and manifests at each. By default a sample is taken, another one
// in each run.
func TestHarmedFiles(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	all := images(t)
	stride, err := strconv.Atoi(os.Getenv("SWEEP_STRIDE"))
	whole := err == nil
	var cases []harmed
	for n, i := range all {
		for _, file := range slices.Sorted(maps.Keys(i.files)) {
			every := stride
			switch {
			case !whole:
				every = max(len(i.files[file])/64, 1)
			case strings.HasPrefix(file, "MANIFEST-"):
				every = 1
			}
			cases = append(cases, harms(i, file, all[:n], every)...)
		}
	}
	if !whole {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		cases = cases[:sampled]
	}
	counts := map[string]int{}
	for _, h := range cases {
		counts[h.check(t)]++
	}
	t.Logf("%d damages: %v", len(cases), counts)
}

// check opens a harmed store and says how that ended.
func (h harmed) check(t *testing.T) (outcome string) {
	fs := vfs.NewCrashableMem()
	h.write(t, fs, "inbox")
	ends, whole := make(chan error, 16), make(chan string, 1)
	o := options(t, clockAt(h.now.Add(time.Minute)), fs)
	o.Log = logr.Discard()
	o.Fatal = func(cause error) {
		ends <- cause
		select {} // it must not return
	}
	go func() {
		if s, err := pebble.Open(o); err != nil {
			ends <- err
		} else {
			whole <- h.missing(t, s)
		}
	}()
	select {
	case cause := <-ends:
		h.checkExport(t, cause)
		return "refused"
	case missing := <-whole:
		if missing != "" {
			t.Errorf("%v: the store serves and %s", h, missing)
			return "LOST"
		}
		return "whole"
	case <-time.After(time.Minute):
		t.Errorf("%v: the store neither serves nor refuses", h)
		return "HANGS"
	}
}

func (h harmed) write(t *testing.T, fs vfs.FS, path string) {
	t.Helper()
	if err := fs.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range h.files {
		if name == h.file {
			content = h.content
		}
		if content == nil {
			continue
		}
		f, err := fs.Create(fs.PathJoin(path, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		// A MemFS built with the race detector overwrites what it is given.
		if _, err := f.Write(bytes.Clone(content)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// missing says what of the image the store has lost.
func (h harmed) missing(t *testing.T, s *pebble.Inbox) string {
	found := make(map[event.ID]bool)
	for range len(h.pending) + 8 {
		claims, _, err := s.Consumer(workChannel).Claim(context.Background(), 64)
		if err != nil {
			return "cannot claim: " + err.Error()
		}
		for _, c := range claims {
			found[c.Event.ID] = bytes.Equal(c.Event.Body, h.pending[c.Event.ID].Body) || h.pending[c.Event.ID].Body == nil
			if err := settle(context.Background(), s, c, inbox.Taken{}); err != nil {
				return "cannot settle: " + err.Error()
			}
		}
	}
	dead := 0
	for letter, err := range s.DeadLetters(workChannel) {
		if err != nil {
			return "cannot list dead letters: " + err.Error()
		}
		if _, want := h.dead[letter.Event.ID]; want {
			dead++
		}
	}
	lost := 0
	for id := range h.pending {
		if !found[id] {
			lost++
		}
	}
	unknown := 0
	for _, events := range []map[event.ID]event.Event{h.pending, h.dead, h.gone} {
		for _, e := range events {
			if outcome, err := acceptOne(t.Context(), s, e); err != nil || outcome != inbox.Duplicate {
				unknown++
			}
		}
	}
	if err := s.Close(); err != nil {
		return "cannot close: " + err.Error()
	}
	if lost+unknown > 0 || dead < len(h.dead) {
		return fmt.Sprintf("has lost %d of %d pending events, %d of %d dead letters, %d ids",
			lost, len(h.pending), len(h.dead)-dead, len(h.dead), unknown)
	}
	return ""
}

// checkExport exports a store that refused, on the real disk.
func (h harmed) checkExport(t *testing.T, cause error) {
	path := filepath.Join(t.TempDir(), "inbox")
	h.write(t, vfs.Default, path)
	defer func() {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}()
	findings := 0
	observe := examine.Observer{Finding: func(examine.Finding) { findings++ }, Progress: func(int) {}}
	found := make(map[event.ID]bool)
	_, err := examine.Export(t.Context(), path, observe, func(e examine.Exported) error {
		found[e.Event.ID] = true
		return nil
	})
	if err == nil && findings == 0 {
		t.Errorf("%v: refused (%v), and the export finds nothing wrong", h, cause)
	}
	findings = 0
	if _, checkErr := examine.Check(t.Context(), path, observe); checkErr == nil && findings == 0 {
		t.Errorf("%v: refused (%v), and the check finds nothing wrong", h, cause)
	}
	if ext := filepath.Ext(h.file); ext == ".sst" || ext == ".log" {
		return // what it held may be lost
	}
	lost := 0
	for _, events := range []map[event.ID]event.Event{h.pending, h.dead} {
		for id := range events {
			if !found[id] {
				lost++
			}
		}
	}
	if lost > 0 && !errors.Is(err, examine.ErrInUse) {
		t.Errorf("%v: refused (%v), and %d events were not exported (%v)", h, cause, lost, err)
	}
}

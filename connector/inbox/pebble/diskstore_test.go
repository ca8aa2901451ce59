package pebble_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/examine"
)

// diskStore is a store on the real disk, and what it must hold.
type diskStore struct {
	*testing.T
	path   string
	clock  *inboxtest.Clock
	random *rand.Rand
	store  *pebble.Inbox
	// stored are all events in the order of their acceptance, by channel.
	stored map[string][]event.ID
	// want is every event that is pending or dead.
	want map[event.ID]examine.Exported
}

var diskChannels = []string{"chat/office", "chat/shop"}

func newDiskStore(t *testing.T) *diskStore {
	d := &diskStore{
		T: t, path: filepath.Join(t.TempDir(), "inbox"), clock: inboxtest.NewClock(), random: rand.New(rand.NewPCG(1, 2)),
		stored: make(map[string][]event.ID), want: make(map[event.ID]examine.Exported),
	}
	t.Cleanup(func() {
		if d.store != nil {
			_ = d.store.Close() // the test has failed
		}
	})
	return d
}

func (d *diskStore) open() {
	d.Helper()
	o := options(d.T, d.clock, vfs.Default)
	o.Path = d.path
	d.store = open(d.T, o)
	for _, channel := range diskChannels {
		if err := d.store.Consumer(channel).Configure(context.Background(), inbox.Settings{}); err != nil {
			d.Fatal(err)
		}
	}
}

func (d *diskStore) close() {
	d.Helper()
	if err := d.store.Close(); err != nil {
		d.Fatal(err)
	}
	d.store = nil
}

// flush moves what the log holds into a table, as a start does.
func (d *diskStore) flush() {
	d.open()
	d.close()
}

// accept stores n events on each channel.
func (d *diskStore) accept(n int) {
	d.Helper()
	for i := range n {
		d.clock.Advance(time.Millisecond)
		for _, channel := range diskChannels {
			e := d.newEvent(channel, i)
			if _, err := acceptOne(context.Background(), d.store, e); err != nil {
				d.Fatal(err)
			}
			d.stored[channel] = append(d.stored[channel], e.ID)
			d.want[e.ID] = examine.Exported{DeadLetter: inbox.DeadLetter{Event: e, AcceptedAt: d.clock.Now()}}
		}
	}
}

func (d *diskStore) newEvent(channel string, n int) event.Event {
	body := make([]byte, 200+d.random.IntN(600))
	for i := range body {
		body[i] = byte(d.random.Uint32())
	}
	return event.Event{
		ID: sha256.Sum256(body), Channel: channel, Source: "/zalo/1/2", Type: "vn.zalo.oa.user_send_text",
		Subject: "user", Conversation: fmt.Sprint("conversation ", n%40), Time: d.clock.Now(), Body: body,
	}
}

// work claims and settles events of every channel in every way.
func (d *diskStore) work(rounds int) {
	d.Helper()
	for range rounds {
		for _, channel := range diskChannels {
			claims, _, err := d.store.Consumer(channel).Claim(context.Background(), 40)
			if err != nil {
				d.Fatal(err)
			}
			for i, claim := range claims {
				d.settle(claim, i%4)
			}
		}
	}
}

func (d *diskStore) settle(claim inbox.Claim, way int) {
	d.Helper()
	id := claim.Event.ID
	var verdict inbox.Verdict = inbox.Taken{}
	e := d.want[id]
	switch way {
	case 0:
		verdict = inbox.Retry{After: time.Hour}
		e.Attempts++
		d.want[id] = e
	case 1:
		verdict = inbox.Dead{Reason: "the sink answered 400"}
		e.Attempts++
		e.Dead, e.Reason, e.DiedAt = true, "the sink answered 400", d.clock.Now()
		d.want[id] = e
	default:
		delete(d.want, id)
	}
	if err := settle(context.Background(), d.store, claim, verdict); err != nil {
		d.Fatal(err)
	}
}

// fill makes a store with a table and a log: the events of both are returned.
func (d *diskStore) fill() {
	d.Helper()
	d.open()
	d.accept(400)
	d.work(4)
	d.close()
	d.flush()
	d.open()
	d.accept(100)
	d.work(2)
	d.close()
}

// copy is the same store in another folder, for a subtest.
func (d *diskStore) copy(t *testing.T) *diskStore {
	t.Helper()
	c := *d
	c.T, c.path = t, filepath.Join(t.TempDir(), "inbox")
	if err := os.CopyFS(c.path, os.DirFS(d.path)); err != nil {
		t.Fatal(err)
	}
	return &c
}

// wanted is what is to be exported, in order: channels in that of their digests.
func (d *diskStore) wanted() []examine.Exported {
	var pending, dead []examine.Exported
	channels := slices.Clone(diskChannels)
	slices.SortFunc(channels, func(a, b string) int {
		x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
		return bytes.Compare(x[:], y[:])
	})
	for _, channel := range channels {
		for _, id := range d.stored[channel] {
			if e, kept := d.want[id]; kept && !e.Dead {
				pending = append(pending, e)
			} else if kept {
				dead = append(dead, e)
			}
		}
	}
	return append(pending, dead...)
}

// examination is what Export and Check say of a store.
type examination struct {
	exported []examine.Exported
	channels []examine.ChannelSummary
	findings []examine.Finding
	// checked are the findings of Check.
	checked []examine.Finding
}

// examine exports and checks, and makes sure that the folder stays as it is.
func (d *diskStore) examine() (x examination) {
	d.Helper()
	before := d.files()
	observe := func(into *[]examine.Finding) examine.Observer {
		return examine.Observer{Finding: func(f examine.Finding) { *into = append(*into, f) }, Progress: func(int) {}}
	}
	var err error
	x.channels, err = examine.Export(context.Background(), d.path, observe(&x.findings), func(e examine.Exported) error {
		e.Event.Body = bytes.Clone(e.Event.Body)
		x.exported = append(x.exported, e)
		return nil
	})
	if err != nil {
		d.Fatal("export:", err)
	}
	if _, err := examine.Check(context.Background(), d.path, observe(&x.checked)); err != nil {
		d.Fatal("check:", err)
	}
	if diff := cmp.Diff(before, d.files()); diff != "" {
		d.Errorf("the folder was changed (-before +after):\n%s", diff)
	}
	for _, f := range append(x.findings, x.checked...) {
		if f.Where == "" || f.What == "" || f.Meaning == "" || f.Remedy == "" {
			d.Errorf("a finding leaves something out: %+v", f)
		}
	}
	return x
}

// files describes every file of the folder.
func (d *diskStore) files() map[string]string {
	d.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(d.path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		all[entry.Name()] = fmt.Sprintf("%x %s", sha256.Sum256(content), info.ModTime())
		return err
	})
	if err != nil {
		d.Fatal(err)
	}
	return all
}

func (d *diskStore) glob(pattern string) []string {
	d.Helper()
	names, err := filepath.Glob(filepath.Join(d.path, pattern))
	if err != nil || len(names) == 0 {
		d.Fatalf("no file %s: %v", pattern, err)
	}
	return names
}

// largest is the largest file that matches.
func (d *diskStore) largest(pattern string) string {
	d.Helper()
	size := func(name string) int64 {
		info, err := os.Stat(name)
		if err != nil {
			d.Fatal(err)
		}
		return info.Size()
	}
	return slices.MaxFunc(d.glob(pattern), func(a, b string) int { return int(size(a) - size(b)) })
}

// manifest is the manifest in use; the one before it is kept for a while.
func (d *diskStore) manifest() string {
	d.Helper()
	return slices.Max(d.glob("MANIFEST-*"))
}

// edit changes a file's content.
func (d *diskStore) edit(name string, change func(content []byte) []byte) {
	d.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		d.Fatal(err)
	}
	if err := os.WriteFile(name, change(content), 0o600); err != nil {
		d.Fatal(err)
	}
}

func (d *diskStore) remove(name string) {
	d.Helper()
	if err := os.Remove(name); err != nil {
		d.Fatal(err)
	}
}

// flip damages the bytes at the given parts of a file.
func flip(parts ...float64) func([]byte) []byte {
	return func(content []byte) []byte {
		for _, part := range parts {
			content[int(part*float64(len(content)))] ^= 0xff
		}
		return content
	}
}

// sameEvent compares without the times' locations, and bodies as a whole.
var sameEvent = cmp.Options{cmp.Comparer(time.Time.Equal), cmp.Comparer(bytes.Equal)}

package pebble_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// image is what a stopped store's folder holds, and what must be in it.
type image struct {
	name  string
	files map[string][]byte
	// pending, dead and gone are all that was acknowledged, by their fate.
	pending, dead, gone map[event.ID]event.Event
	now                 time.Time
}

// imageMaker uses one store and takes images of it.
type imageMaker struct {
	*testing.T
	fs    *vfs.MemFS
	clock *inboxtest.Clock
	image image
}

// images are a store's folder after a clean end and after a kill, with no, one and two restarts since the last event.
func images(t *testing.T) []image {
	m := &imageMaker{T: t, fs: vfs.NewCrashableMem(), clock: inboxtest.NewClock()}
	m.image.pending, m.image.dead, m.image.gone = map[event.ID]event.Event{}, map[event.ID]event.Event{}, map[event.ID]event.Event{}
	s := m.open()
	m.work(s, 60)
	s = m.restart(s)
	m.work(s, 40)
	m.awaitLedger()
	all := []image{m.take("killed")}
	m.close(s)
	all = append(all, m.take("stopped"))
	for _, restarts := range []string{"one restart", "two restarts"} {
		s = m.open()
		all = append(all, m.take(restarts+", killed"))
		m.close(s)
		all = append(all, m.take(restarts+", stopped"))
	}
	return all
}

func (m *imageMaker) open() *pebble.Inbox {
	o := options(m.T, m.clock, m.fs)
	o.Log = logr.Discard()
	return open(m.T, o)
}

func (m *imageMaker) close(s *pebble.Inbox) {
	m.Helper()
	if err := s.Close(); err != nil {
		m.Fatal(err)
	}
}

func (m *imageMaker) restart(s *pebble.Inbox) *pebble.Inbox {
	m.close(s)
	return m.open()
}

// work accepts n events, some of them over a block of the log long, and delivers, retries and gives up some.
func (m *imageMaker) work(s *pebble.Inbox, n int) {
	m.Helper()
	for i := range n {
		e := inboxtest.Event(workChannel, fmt.Sprint("lane ", i%8), len(m.image.pending)+len(m.image.dead)+len(m.image.gone)+1)
		if i%20 == 7 {
			e.Body = append(e.Body, strings.Repeat(" ", 40<<10)...)
		}
		if outcome, err := acceptOne(m.Context(), s, e); err != nil || outcome != inbox.Stored {
			m.Fatalf("accept: %v, %v", outcome, err)
		}
		m.image.pending[e.ID] = e
	}
	claims, _, err := s.Consumer(workChannel).Claim(context.Background(), 8)
	if err != nil || len(claims) == 0 {
		m.Fatalf("%d claims, %v", len(claims), err)
	}
	for i, c := range claims {
		m.settle(s, c, i%3)
	}
}

func (m *imageMaker) settle(s *pebble.Inbox, c inbox.Claim, way int) {
	m.Helper()
	var verdict inbox.Verdict = inbox.Retry{After: time.Second}
	e := m.image.pending[c.Event.ID]
	if way > 0 {
		delete(m.image.pending, e.ID)
	}
	switch way {
	case 1:
		verdict, m.image.gone[e.ID] = inbox.Taken{}, e
	case 2:
		verdict, m.image.dead[e.ID] = inbox.Dead{Reason: "HTTP 422"}, e
	}
	if err := settle(m.Context(), s, c, verdict); err != nil {
		m.Fatal(err)
	}
}

// awaitLedger waits until what was acknowledged is in the ledger.
func (m *imageMaker) awaitLedger() {
	m.Helper()
	name := "inbox/LEDGER"
	if _, err := m.fs.Stat(name); err != nil {
		return
	}
	before := readFile(m.T, m.fs, name)
	poll.Until(m, "a newer ledger", func() bool { return !bytes.Equal(before, readFile(m.T, m.fs, name)) })
}

// take copies the folder as a process that is killed now leaves it. A clone is the folder of one moment: the store that
// is still open may delete a table at any. It would bring back what was deleted before the folder was last synced, as
// only a power cut does, so the folder is synced first.
func (m *imageMaker) take(name string) image {
	m.Helper()
	i := m.image
	i.name, i.now, i.files = name, m.clock.Now(), map[string][]byte{}
	i.pending, i.dead, i.gone = maps.Clone(i.pending), maps.Clone(i.dead), maps.Clone(i.gone)
	if err := syncFolder(m.fs, "inbox"); err != nil {
		m.Fatal(err)
	}
	folder := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
	names, err := folder.List("inbox")
	if err != nil {
		m.Fatal(err)
	}
	for _, name := range names {
		i.files[name] = readFile(m.T, folder, "inbox/"+name)
	}
	return i
}

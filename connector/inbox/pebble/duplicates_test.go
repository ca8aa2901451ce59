package pebble

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// openBare opens a database in memory without a store around it.
func openBare(t *testing.T) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("bare", &pebble.Options{FS: vfs.NewMem(), Logger: engine.Log{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// known is what remembers ids in a bare database.
type known struct {
	*testing.T
	db  *pebble.DB
	ids *duplicates
}

const (
	knownWindow  = time.Hour
	knownChannel = "chat/shop"
)

func newKnown(t *testing.T) *known {
	t.Helper()
	return &known{T: t, db: openBare(t), ids: newDuplicates(knownWindow, 1)}
}

// in commits what a change writes.
func (k *known) in(change func(b *pebble.Batch) error) {
	k.Helper()
	b := k.db.NewBatch()
	if err := change(b); err != nil {
		k.Fatal(err)
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		k.Fatal(err)
	}
}

func (k *known) remember(n byte, now layout.Instant) {
	k.Helper()
	k.in(func(b *pebble.Batch) error {
		return k.ids.remember(b, layout.ChannelKeyOf(knownChannel), event.ID{n}, now)
	})
}

func (k *known) expire(now layout.Instant) {
	k.Helper()
	k.in(func(b *pebble.Batch) error { return k.ids.expire(b, now) })
}

func (k *known) seen(n byte, now layout.Instant) bool {
	k.Helper()
	seen, err := k.ids.seen(k.db, layout.ChannelKeyOf(knownChannel), event.ID{n}, now)
	if err != nil {
		k.Fatal(err)
	}
	return seen
}

func (k *known) stored() (n int) {
	k.Helper()
	var err error
	for range layout.Range(k.db, []byte{layout.PrefixDuplicate}, []byte{layout.PrefixDuplicate + 1}, &err) {
		n++
	}
	if err != nil {
		k.Fatal(err)
	}
	return n
}

// at is so long after the store's creation.
func at(d time.Duration) layout.Instant { return layout.Instant(1).Add(d) }

func TestAnIDIsKnownForTheWindow(t *testing.T) {
	k := newKnown(t)
	k.remember(1, at(0))
	k.remember(2, at(time.Minute))
	for _, tt := range []struct {
		id   byte
		when time.Duration
		want bool
	}{
		{1, 0, true}, {1, knownWindow - 1, true}, {1, knownWindow, false},
		{2, knownWindow, true}, {2, knownWindow + time.Minute, false}, {3, 0, false},
	} {
		if got := k.seen(tt.id, at(tt.when)); got != tt.want {
			t.Errorf("id %d after %v: known %v", tt.id, tt.when, got)
		}
	}
	other, err := k.ids.seen(k.db, layout.ChannelKeyOf("chat/other"), event.ID{1}, at(0))
	if other || err != nil {
		t.Errorf("on another channel: known %v, %v", other, err)
	}
}

// TestANewIDCostsNoRead: the filter alone knows that it is new.
func TestANewIDCostsNoRead(t *testing.T) {
	k := newKnown(t)
	k.remember(1, at(0))
	seen, err := k.ids.seen(nil, layout.ChannelKeyOf(knownChannel), event.ID{9}, at(0)) // a read would panic
	if seen || err != nil {
		t.Errorf("known %v, %v", seen, err)
	}
}

// TestBucketsOfTime: a bucket spans a part of the window, and each expires as a whole as soon as its newest id is over.
func TestBucketsOfTime(t *testing.T) {
	k := newKnown(t)
	const span = knownWindow / bucketsPerWindow
	for n := range byte(4) {
		k.remember(n, at(time.Duration(n)*span/2))
	}
	if got := len(k.ids.buckets); got != 2 {
		t.Fatalf("%d buckets, want 2: %+v", got, k.ids.buckets)
	}
	for _, tt := range []struct {
		when time.Duration
		left int
	}{
		{knownWindow + span/2 - 1, 4}, {knownWindow + span/2, 2}, {knownWindow + 3*span/2 - 1, 2}, {knownWindow + 3*span/2, 0},
	} {
		k.expire(at(tt.when))
		if got := k.stored(); got != tt.left || k.ids.ids != tt.left {
			t.Errorf("after %v: %d ids are stored, %d counted, want %d", tt.when, got, k.ids.ids, tt.left)
		}
	}
}

// TestBucketNumbersRise: an id of a time without buckets is not deleted with those before, over a restart too.
func TestBucketNumbersRise(t *testing.T) {
	k := newKnown(t)
	k.remember(1, at(time.Minute))
	first := k.ids.buckets[0].number
	k.expire(at(3 * knownWindow))
	k.remember(2, at(3*knownWindow))
	if second := k.ids.buckets[0].number; second <= first {
		t.Errorf("bucket %d follows %d", second, first)
	}
	k.ids = newDuplicates(knownWindow, at(3*knownWindow))
	if err := k.ids.load(k.db); err != nil {
		t.Fatal(err)
	}
	if !k.seen(2, at(3*knownWindow)) || k.seen(1, at(3*knownWindow)) || k.ids.ids != 1 {
		t.Errorf("after a restart: %d ids, the newest known %v", k.ids.ids, k.seen(2, at(3*knownWindow)))
	}
}

// TestTheFilterForgets: with the second rotation after a window each, no id of the first generation is looked up any
// more.
func TestTheFilterForgets(t *testing.T) {
	k := newKnown(t)
	k.remember(1, at(0))
	for rotations, want := range []bool{true, true, false} {
		if got := k.ids.maybe(layout.ChannelKeyOf(knownChannel), event.ID{1}); got != want {
			t.Errorf("after %d rotations: looked up %v", rotations, got)
		}
		k.ids.rotate(at(time.Duration(rotations+1)*knownWindow - 1)) // not yet
		k.ids.rotate(at(time.Duration(rotations+1) * knownWindow))
	}
}

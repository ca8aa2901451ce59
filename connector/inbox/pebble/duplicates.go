package pebble

import (
	"slices"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// duplicates recognises events that were accepted within the window. The disk is the truth. A filter of fixed memory in
// front of it recognises a new id without a read. Only the committer uses it.
//
// The keys come in buckets, one after the other in time. A bucket expires with one range deletion, and compaction
// rewrites the newest one only. A possible duplicate costs one look-up a bucket.
type duplicates struct {
	window  time.Duration
	buckets []bucket
	ids     int // ids counts those of all buckets
	// filter holds every id accepted since the last rotation, previous those of the window before it.
	filter, previous *bloom.BloomFilter
	rotatedAt        layout.Instant
}

type bucket struct {
	number uint32
	ids    int
	oldest layout.Instant
	newest layout.Instant
}

const (
	// A bucket ends with bucketIDs ids, about 4 MiB, or with a part of all ids if that is more: so a look-up in all
	// buckets stays cheap. It also ends with a part of the window: so little is kept beyond the window.
	bucketIDs        = 1 << 16
	bucketsPerWindow = 8

	// A filter generation takes 8 MiB at most, touched page by page as ids come in. Six hash functions keep false
	// alarms, each of which costs reads, under 1 % up to about 7 million ids in a window.
	filterBits   = 8 << 23
	filterHashes = 6
)

func newDuplicates(window time.Duration, now layout.Instant) *duplicates {
	return &duplicates{window: window, filter: bloom.New(filterBits, filterHashes), rotatedAt: now}
}

// load reads the ids that the store knows.
func (d *duplicates) load(db *pebble.DB) (err error) {
	for key, value := range layout.Range(db, []byte{layout.PrefixDuplicate}, []byte{layout.PrefixDuplicate + 1}, &err) {
		number, member := layout.BucketOf(key)
		acceptedAt, err := layout.DecodeAcceptedAt(value)
		if err != nil {
			return err
		}
		if n := len(d.buckets); n == 0 || d.buckets[n-1].number != number {
			d.buckets = append(d.buckets, bucket{number: number, oldest: acceptedAt})
		}
		d.buckets[len(d.buckets)-1].add(acceptedAt)
		d.ids++
		d.filter.Add(member)
	}
	return err
}

func (b *bucket) add(acceptedAt layout.Instant) {
	b.ids++
	b.oldest = min(b.oldest, acceptedAt)
	b.newest = max(b.newest, acceptedAt)
}

// rotate starts a new generation of the filter once every id of the old previous one has left the window.
func (d *duplicates) rotate(now layout.Instant) {
	if now.Since(d.rotatedAt) >= d.window {
		d.previous, d.filter, d.rotatedAt = d.filter, bloom.New(filterBits, filterHashes), now
	}
}

// seen reports whether the id was accepted on the channel within the window.
func (d *duplicates) seen(r pebble.Reader, c layout.ChannelKey, id event.ID, now layout.Instant) (bool, error) {
	if !d.maybe(c, id) {
		return false, nil
	}
	for _, b := range slices.Backward(d.buckets) {
		if d.over(b, now) {
			continue
		}
		value, found, err := layout.Get(r, layout.DuplicateKey(b.number, c, id))
		switch {
		case err != nil:
			return false, err
		case found:
			acceptedAt, err := layout.DecodeAcceptedAt(value)
			return err == nil && now.Since(acceptedAt) < d.window, err
		}
	}
	return false, nil
}

func (d *duplicates) maybe(c layout.ChannelKey, id event.ID) bool {
	member := filterMember(c, id)
	return d.filter.Test(member) || d.previous != nil && d.previous.Test(member)
}

// remember writes the id's key and adds it to the filter.
func (d *duplicates) remember(b *pebble.Batch, c layout.ChannelKey, id event.ID, now layout.Instant) error {
	d.filter.Add(filterMember(c, id))
	current := d.current(now)
	current.add(now)
	d.ids++
	return b.Set(layout.DuplicateKey(current.number, c, id), layout.AppendInstant(nil, now), nil)
}

func (d *duplicates) current(now layout.Instant) *bucket {
	// Numbers rise over restarts too, even when every bucket has expired.
	next := bucket{number: uint32(time.Duration(now) / time.Second), oldest: now}
	if n := len(d.buckets); n > 0 {
		last := &d.buckets[n-1]
		if last.ids < max(bucketIDs, d.ids/bucketsPerWindow) && now.Since(last.oldest) < d.window/bucketsPerWindow {
			return last
		}
		next.number = last.number + 1
	}
	d.buckets = append(d.buckets, next)
	return &d.buckets[len(d.buckets)-1]
}

// over reports whether every id of b has left the window.
func (d *duplicates) over(b bucket, now layout.Instant) bool { return now.Since(b.newest) >= d.window }

func (d *duplicates) expire(b *pebble.Batch, now layout.Instant) error {
	n := 0
	for n < len(d.buckets) && d.over(d.buckets[n], now) {
		d.ids -= d.buckets[n].ids
		n++
	}
	if n == 0 {
		return nil
	}
	end := layout.DuplicateBucketStart(d.buckets[n-1].number + 1)
	d.buckets = d.buckets[n:]
	return b.DeleteRange([]byte{layout.PrefixDuplicate}, end, nil)
}

func filterMember(c layout.ChannelKey, id event.ID) []byte {
	return append(append(make([]byte, 0, len(c)+len(id)), c[:]...), id[:]...)
}

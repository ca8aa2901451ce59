package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/event"
)

// bucketsPerWindow says in how many steps a window of de-duplication keys
// expires: each step is one range deletion, and a possible duplicate costs one
// look-up a step.
const bucketsPerWindow = 8

// duplicates recognises events that were accepted within the window. The disk
// is the truth; a filter of fixed memory in front of it lets a new id be known
// as new without a read. Only the committer uses it.
type duplicates struct {
	window time.Duration
	bucket time.Duration
	// filter holds every id accepted since the last turn, previous those of
	// the window before it: an id that neither holds is new.
	filter, previous *bloom.BloomFilter
	turnedAt         time.Time
}

// A filter generation takes 8 MiB at most, touched page by page as ids come in.
// Six hash functions keep false alarms, each of which costs reads, under 1 % up
// to about 7 million ids in a window.
const (
	filterBits   = 8 << 23
	filterHashes = 6
)

func newDuplicates(window time.Duration, now time.Time) *duplicates {
	return &duplicates{
		window:   window,
		bucket:   max(window/bucketsPerWindow, time.Second),
		filter:   bloom.New(filterBits, filterHashes),
		turnedAt: now,
	}
}

// load fills the filter from the store, whose keys are the truth.
func (d *duplicates) load(db *pebble.DB, now time.Time) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{
		LowerBound: duplicateBucketStart(d.bucketOf(now.Add(-d.window))),
		UpperBound: []byte{prefixDuplicate + 1},
	})
	if err != nil {
		return fmt.Errorf("read de-duplication keys: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	const bucketLength = 4
	for it.First(); it.Valid(); it.Next() {
		d.filter.Add(it.Key()[1+bucketLength:])
	}
	return nil
}

func (d *duplicates) bucketOf(t time.Time) uint32 {
	return uint32(max(unixNano(t), 0) / int64(d.bucket))
}

// turn starts a new generation of the filter once every id of the old previous
// one has left the window.
func (d *duplicates) turn(now time.Time) {
	if now.Sub(d.turnedAt) < d.window {
		return
	}
	d.previous, d.filter = d.filter, bloom.New(filterBits, filterHashes)
	d.turnedAt = now
}

// seen reports whether the id was accepted on the channel within the window.
func (d *duplicates) seen(r pebble.Reader, c channelKey, id event.ID, now time.Time) (bool, error) {
	if !d.maybe(c, id) {
		return false, nil
	}
	for b := d.bucketOf(now); b >= d.bucketOf(now.Add(-d.window)); b-- {
		acceptedAt, err := acceptedAt(r, duplicateKey(b, c, id))
		if err != nil {
			return false, err
		}
		if !acceptedAt.IsZero() && now.Sub(acceptedAt) < d.window {
			return true, nil
		}
	}
	return false, nil
}

func (d *duplicates) maybe(c channelKey, id event.ID) bool {
	member := filterMember(c, id)
	return d.filter.Test(member) || d.previous != nil && d.previous.Test(member)
}

// remember writes the id's key and adds it to the filter.
func (d *duplicates) remember(b *pebble.Batch, c channelKey, id event.ID, now time.Time) error {
	d.filter.Add(filterMember(c, id))
	return b.Set(duplicateKey(d.bucketOf(now), c, id), appendTime(nil, now), nil)
}

// expired is the range of keys that no look-up will ask for again.
func (d *duplicates) expired(now time.Time) (start, end []byte) {
	return []byte{prefixDuplicate}, duplicateBucketStart(d.bucketOf(now.Add(-d.window)))
}

// filterMember is the end of the de-duplication key: channel and id.
func filterMember(c channelKey, id event.ID) []byte {
	return append(append(make([]byte, 0, len(c)+len(id)), c[:]...), id[:]...)
}

// acceptedAt reads a de-duplication key's value, zero if there is none.
func acceptedAt(r pebble.Reader, key []byte) (time.Time, error) {
	value, found, err := get(r, key)
	if err != nil || !found {
		return time.Time{}, err
	}
	if len(value) != 8 {
		return time.Time{}, fmt.Errorf("%w: de-duplication time", errRecord)
	}
	return fromUnixNano(int64(binary.BigEndian.Uint64(value))), nil
}

// get returns a copy of the value of key.
func get(r pebble.Reader, key []byte) (value []byte, found bool, err error) {
	v, closer, err := r.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("read the store: %w", err)
	}
	value = append([]byte(nil), v...)
	return value, true, closer.Close()
}

package layout

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// ErrEnough ends a call of each before the last key, without an error.
var ErrEnough = errors.New("enough was read")

// Each calls f for each key in [start, end), in order, until it returns an
// error. Key and value are f's only until it returns.
func Each(db *pebble.DB, start, end []byte, f func(key, value []byte) error) error {
	it, err := Iterate(db, start, end)
	if err != nil {
		return err
	}
	for valid := it.First(); valid; valid = it.Next() {
		if err = f(it.Key(), it.Value()); err != nil {
			break
		}
	}
	if errors.Is(err, ErrEnough) {
		err = nil
	}
	return errors.Join(err, it.Close()) // the latter is also what the reading met
}

// Iterate returns an iterator over [start, end).
func Iterate(db *pebble.DB, start, end []byte) (*pebble.Iterator, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	return it, nil
}

// Get returns a copy of the value of key.
func Get(r pebble.Reader, key []byte) (value []byte, found bool, err error) {
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

// LaneOf reads a lane's record.
func LaneOf(r pebble.Reader, c ChannelKey, l LaneKey) (record LaneRecord, tracked bool, err error) {
	value, found, err := Get(r, LaneRecordKey(c, l))
	if err != nil || !found {
		return record, false, err
	}
	record, err = DecodeLane(value)
	return record, err == nil, err
}

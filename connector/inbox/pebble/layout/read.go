package layout

import (
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"
)

// Range yields each key in [start, end) with its value, both valid until the loop goes on. *err says why it ended
// early.
func Range(r pebble.Reader, start, end []byte, err *error) iter.Seq2[[]byte, []byte] {
	return walk(r, start, end, err, (*pebble.Iterator).First, (*pebble.Iterator).Next)
}

// Backward is Range from the last key to the first.
func Backward(r pebble.Reader, start, end []byte, err *error) iter.Seq2[[]byte, []byte] {
	return walk(r, start, end, err, (*pebble.Iterator).Last, (*pebble.Iterator).Prev)
}

func walk(r pebble.Reader, start, end []byte, err *error, first, next func(*pebble.Iterator) bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		it, failed := r.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
		if failed != nil {
			*err = fmt.Errorf("read the store: %w", failed)
			return
		}
		for valid := first(it); valid && yield(it.Key(), it.Value()); {
			valid = next(it)
		}
		*err = errors.Join(*err, it.Close()) // the latter is also the error of the reading
	}
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

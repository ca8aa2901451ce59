package pebble

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// errEnough ends a call of each before the last key, without an error.
var errEnough = errors.New("enough was read")

// each calls f for each key in [start, end), in order, until it returns an
// error. Key and value are f's only until it returns.
func each(db *pebble.DB, start, end []byte, f func(key, value []byte) error) error {
	it, err := iterate(db, start, end)
	if err != nil {
		return err
	}
	for valid := it.First(); valid; valid = it.Next() {
		if err = f(it.Key(), it.Value()); err != nil {
			break
		}
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return errors.Join(err, it.Close()) // the latter is also what the reading met
}

// iterate returns an iterator over [start, end).
func iterate(db *pebble.DB, start, end []byte) (*pebble.Iterator, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	return it, nil
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

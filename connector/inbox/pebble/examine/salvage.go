package examine

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// salvage reads a store's files without Pebble's word on which of them count.
// Of each key the newest version wins, as it would in Pebble. Where a deletion
// cannot be read, what it deleted comes back: an event too many is better than
// one too few.
type salvage struct {
	tables []*table
	// logged is what the write-ahead logs hold, by key, the newest first.
	logged  []entry
	deleted []deletion
}

// entry is one version of a key.
type entry struct {
	key      []byte
	sequence uint64
	// set: the entry holds a value; else it deletes the key.
	set   bool
	value []byte
}

// compare orders entries by key, the newest first.
func (e entry) compare(other entry) int {
	if c := bytes.Compare(e.key, other.key); c != 0 {
		return c
	}
	switch {
	case e.sequence > other.sequence:
		return -1
	case e.sequence < other.sequence:
		return 1
	default:
		return 0
	}
}

// deletion is a deleted range of keys.
type deletion struct {
	start, end []byte
	sequence   uint64
}

func (d deletion) covers(e entry) bool {
	return e.sequence < d.sequence && bytes.Compare(d.start, e.key) <= 0 && bytes.Compare(e.key, d.end) < 0
}

// openSalvage opens every file of the store that can be read and reports the
// others.
func openSalvage(ctx context.Context, path string, report func(Finding)) (*salvage, error) {
	names, err := filepath.Glob(filepath.Join(path, "*.sst"))
	if err != nil {
		return nil, err
	}
	s := &salvage{}
	for _, name := range names {
		t, err := openTable(ctx, name, report)
		if err != nil {
			report(unreadable(name, err, "no event in it can be read"))
			continue
		}
		s.tables = append(s.tables, t)
		deleted, err := t.deletions(ctx)
		if err != nil {
			report(unreadable(name, err, "deletions in it are unknown: events that were delivered may come back"))
		}
		s.deleted = append(s.deleted, deleted...)
	}
	logs, err := wal.Scan(wal.Dir{FS: vfs.Default, Dirname: path})
	if err != nil {
		return nil, errors.Join(err, s.closeTables())
	}
	for i, log := range logs {
		entries, deleted := readLog(log, i == len(logs)-1, report)
		s.logged, s.deleted = append(s.logged, entries...), append(s.deleted, deleted...)
	}
	slices.SortStableFunc(s.logged, entry.compare)
	return s, nil
}

// unreadable is the finding about a file, or a part of it.
func unreadable(name string, err error, meaning string) Finding {
	return Finding{Where: name, What: err.Error(), Meaning: meaning, Remedy: remedyReplace}
}

func (s *salvage) closeTables() error {
	var err error
	for _, t := range s.tables {
		err = errors.Join(err, t.reader.Close())
	}
	return err
}

func (s *salvage) close() { _ = s.closeTables() } // they were only read

// cursor walks through one source of entries, in order.
type cursor interface {
	// next moves to the next entry and reports whether there is one.
	next() bool
	current() entry
	close()
}

// each visits the newest version of every key in [from, to) that was not
// deleted.
func (s *salvage) each(from, to []byte, visit func(key, value []byte) error) error {
	m := merge(s.cursors(from, to))
	defer func() {
		for _, c := range m {
			c.close()
		}
	}()
	var last []byte // no key is empty
	for e, found := m.first(); found; e, found = m.first() {
		if !bytes.Equal(e.key, last) {
			last = append(last[:0], e.key...)
			if e.set && !slices.ContainsFunc(s.deleted, func(d deletion) bool { return d.covers(e) }) {
				if err := visit(e.key, e.value); err != nil {
					return err
				}
			}
		}
		m.next()
	}
	return nil
}

// merge walks through the entries of several cursors, in order. The one whose
// turn it is comes first.
type merge []cursor

// first returns the first of the current entries, if there is any left.
func (m merge) first() (e entry, found bool) {
	for i, c := range m {
		if i == 0 || c.current().compare(m[0].current()) < 0 {
			m[0], m[i] = c, m[0]
		}
	}
	if len(m) == 0 {
		return entry{}, false
	}
	return m[0].current(), true
}

// next moves past what first returned.
func (m *merge) next() {
	if c := (*m)[0]; !c.next() {
		c.close()
		*m = (*m)[1:]
	}
}

// cursors returns those that have an entry in [from, to), on their first.
func (s *salvage) cursors(from, to []byte) []cursor {
	var all []cursor
	add := func(c cursor) {
		if c.next() {
			all = append(all, c)
		} else {
			c.close()
		}
	}
	for _, t := range s.tables {
		if c := t.cursor(from, to); c != nil {
			add(c)
		}
	}
	bound := func(key []byte) int {
		i, _ := slices.BinarySearchFunc(s.logged, entry{key: key, sequence: math.MaxUint64}, entry.compare)
		return i
	}
	add(&logCursor{rest: s.logged[bound(from):bound(to)]})
	return all
}

// logCursor walks through entries in memory.
type logCursor struct {
	rest []entry
	at   entry
}

func (c *logCursor) next() bool {
	if len(c.rest) == 0 {
		return false
	}
	c.at, c.rest = c.rest[0], c.rest[1:]
	return true
}

func (c *logCursor) current() entry { return c.at }
func (c *logCursor) close()         {}

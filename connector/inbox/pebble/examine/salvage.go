package examine

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"math"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// salvage reads a store's files without Pebble's word on which of them count. Of each key the newest version wins, as
// in Pebble. If a deletion cannot be read, its keys come back: an event too many is better than one too few.
type salvage struct {
	tables  []*table
	logged  []entry // the entries of the write-ahead logs by key, the newest first
	deleted []deletion
}

// entry is one version of a key.
type entry struct {
	key      []byte
	sequence uint64
	set      bool // the entry holds a value; else it deletes the key
	value    []byte
}

// compare orders entries by key, the newest first.
func (e entry) compare(other entry) int {
	return cmp.Or(bytes.Compare(e.key, other.key), cmp.Compare(other.sequence, e.sequence))
}

// deletion is a deleted range of keys.
type deletion struct {
	start, end []byte
	sequence   uint64
}

func (d deletion) covers(e entry) bool {
	return e.sequence < d.sequence && bytes.Compare(d.start, e.key) <= 0 && bytes.Compare(e.key, d.end) < 0
}

// report is told about a file, or a part of it, that cannot be read.
type report func(where, what, meaning string)

// openSalvage opens every file of the store that can be read and reports the others.
func openSalvage(ctx context.Context, path string, found report) (*salvage, error) {
	names, err := filepath.Glob(filepath.Join(path, "*.sst"))
	if err != nil {
		return nil, err
	}
	s := &salvage{}
	for _, name := range names {
		t, err := openTable(ctx, name, found)
		if err != nil {
			found(name, err.Error(), "no event in it can be read")
			continue
		}
		s.tables = append(s.tables, t)
		deleted, err := t.deletions(ctx)
		if err != nil {
			found(name, err.Error(), "deletions in it are unknown: events that were delivered may come back")
		}
		s.deleted = append(s.deleted, deleted...)
	}
	logs, err := wal.Scan(wal.Dir{FS: vfs.Default, Dirname: path})
	if err != nil {
		s.close()
		return nil, err
	}
	for i, log := range logs {
		l := readLog(log, i == len(logs)-1, found)
		s.logged, s.deleted = append(s.logged, l.entries...), append(s.deleted, l.deleted...)
	}
	slices.SortStableFunc(s.logged, entry.compare)
	return s, nil
}

func (s *salvage) close() {
	for _, t := range s.tables {
		_ = t.reader.Close() // it was only read
	}
}

// source is one file's entries, or those of the logs, in order.
type source struct {
	at   entry
	next func() (entry, bool)
	stop func()
}

// each visits the newest version of every key in [from, to) that was not deleted, until visit returns false.
func (s *salvage) each(from, to []byte, visit func(key, value []byte) bool) {
	sources := s.sources(from, to)
	defer func() {
		for _, source := range sources {
			source.stop()
		}
	}()
	var last []byte // no key is empty
	for len(sources) > 0 {
		first := slices.MinFunc(sources, func(a, b *source) int { return a.at.compare(b.at) })
		if e := first.at; !bytes.Equal(e.key, last) {
			last = append(last[:0], e.key...)
			deleted := !e.set || slices.ContainsFunc(s.deleted, func(d deletion) bool { return d.covers(e) })
			if !deleted && !visit(e.key, e.value) {
				return
			}
		}
		var more bool
		if first.at, more = first.next(); !more {
			sources = slices.DeleteFunc(sources, func(s *source) bool { return s == first })
		}
	}
}

// sources returns the sources with an entry in [from, to), at their first.
func (s *salvage) sources(from, to []byte) (all []*source) {
	add := func(entries iter.Seq[entry]) {
		next, stop := iter.Pull(entries)
		if at, found := next(); found {
			all = append(all, &source{at, next, stop})
		}
	}
	for _, t := range s.tables {
		add(t.entries(from, to))
	}
	bound := func(key []byte) int {
		i, _ := slices.BinarySearchFunc(s.logged, entry{key: key, sequence: math.MaxUint64}, entry.compare)
		return i
	}
	add(slices.Values(s.logged[bound(from):bound(to)]))
	return all
}

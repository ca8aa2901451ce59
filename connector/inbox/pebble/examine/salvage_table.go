package examine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// table is one of the store's sorted tables.
type table struct {
	name   string
	file   *tableFile
	reader *sstable.Reader
	report func(Finding)
}

func openTable(ctx context.Context, name string, report func(Finding)) (*table, error) {
	file, err := vfs.Default.Open(name)
	if err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	tracked := &tableFile{Readable: readable, damaged: make(map[int64]error)}
	var options pebble.Options
	options.EnsureDefaults()
	reader, err := sstable.NewReader(ctx, tracked, options.MakeReaderOptions())
	if err != nil {
		return nil, err // the reader has closed the file
	}
	return &table{name: name, file: tracked, reader: reader, report: report}, nil
}

// tableFile remembers which block was read last, and which are damaged, so that
// a search for the end of a damaged block need not verify it again and again.
type tableFile struct {
	objstorage.Readable
	last    int64
	damaged map[int64]error
}

// ReadAt implements objstorage.Readable.
func (f *tableFile) ReadAt(ctx context.Context, p []byte, offset int64) error {
	f.last = offset
	if err := f.damaged[offset]; err != nil {
		return err
	}
	return f.Readable.ReadAt(ctx, p, offset)
}

// NewReadHandle implements objstorage.Readable.
func (f *tableFile) NewReadHandle(objstorage.ReadBeforeSize) objstorage.ReadHandle {
	handle := objstorage.MakeNoopReadHandle(f)
	return &handle
}

// deletions reads the table's range deletions.
func (t *table) deletions(ctx context.Context) (deleted []deletion, err error) {
	it, err := t.reader.NewRawRangeDelIter(ctx, sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil || it == nil {
		return nil, err
	}
	defer it.Close()
	s, err := it.First()
	for ; s != nil; s, err = it.Next() {
		if !salvageable(s.Start) {
			continue
		}
		deleted = append(deleted, deletion{
			start: bytes.Clone(s.Start), end: bytes.Clone(s.End), sequence: uint64(s.LargestSeqNum()),
		})
	}
	return deleted, err
}

// cursor walks through the table's entries in [from, to); nil if the table's
// index cannot be read.
func (t *table) cursor(from, to []byte) cursor {
	it, err := t.reader.NewIter(sstable.NoTransforms, from, to, sstable.AssertNoBlobHandles)
	if err != nil {
		t.damage(err, "no event in it can be read")
		return nil
	}
	return &tableCursor{table: t, it: it, from: from, to: to}
}

// damage reports the block that was read last, once, and marks it.
func (t *table) damage(err error, meaning string) {
	if t.file.damaged[t.file.last] != nil {
		return
	}
	t.file.damaged[t.file.last] = err
	t.report(unreadable(t.name, fmt.Errorf("the block at offset %d: %w", t.file.last, err), meaning))
}

// lostBlock is what a damaged block means.
const lostBlock = "the records in it are lost; those of other blocks are read"

// tableCursor walks through a table and skips damaged blocks.
type tableCursor struct {
	table *table
	it    sstable.Iterator
	// from is where the next entry is looked for, up to to.
	from, to []byte
	at       entry
}

func (c *tableCursor) current() entry { return c.at }

func (c *tableCursor) close() { _ = c.it.Close() } // its errors were reported

// next seeks rather than steps: past a damaged block there is no stepping, and
// older versions of a key in the same table do not matter.
func (c *tableCursor) next() bool {
	for c.from != nil {
		kv := c.it.SeekGE(c.from, 0)
		if kv == nil {
			if c.it.Error() == nil {
				return false
			}
			c.table.damage(c.it.Error(), lostBlock)
			c.from = c.beyond(c.table.file.last)
			continue
		}
		key := bytes.Clone(kv.K.UserKey)
		c.from = append(bytes.Clone(key), 0)
		value, _, err := kv.Value(nil)
		if err != nil {
			c.table.damage(err, "records whose values are in it are lost")
			continue
		}
		kind := kv.Kind()
		c.at = entry{
			key: key, sequence: uint64(kv.SeqNum()), value: value,
			set: kind == pebble.InternalKeyKindSet || kind == pebble.InternalKeyKindSetWithDelete,
		}
		return true
	}
	return false
}

// maxKey is longer than every key of the store, see doc.go, and than the
// separators in a table's index, which are no longer than keys.
const maxKey = 48

// beyond is the smallest key after from that does not lead into the damaged
// block at offset, nil if there is none below to. The index of the table is
// whole, so the keys that lead there are one range, whose end is found by
// halving.
func (c *tableCursor) beyond(offset int64) []byte {
	low, high := number(c.from), number(c.to)
	for one := big.NewInt(1); new(big.Int).Sub(high, low).Cmp(one) > 0; {
		middle := new(big.Int).Add(low, high)
		middle.Rsh(middle, 1)
		kv := c.it.SeekGE(middle.FillBytes(make([]byte, maxKey)), 0)
		if kv == nil && c.it.Error() != nil {
			c.table.damage(c.it.Error(), lostBlock) // it may be another block than that
			if c.table.file.last == offset {
				low = middle
				continue
			}
		}
		high = middle
	}
	if high.Cmp(number(c.to)) == 0 {
		return nil
	}
	return high.FillBytes(make([]byte, maxKey))
}

// number reads a key as a number whose order is that of keys.
func number(key []byte) *big.Int {
	padded := make([]byte, maxKey)
	copy(padded, key)
	return new(big.Int).SetBytes(padded)
}

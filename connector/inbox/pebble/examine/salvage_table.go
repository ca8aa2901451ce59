package examine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/big"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// table is one of the store's sorted tables, and the file of its reader. It remembers the block read last and the
// damaged blocks, so that a search for the end of a damaged block does not verify it again and again.
type table struct {
	objstorage.Readable
	name    string
	reader  *sstable.Reader
	found   report
	last    int64
	damaged map[int64]error
}

func openTable(ctx context.Context, name string, found report) (*table, error) {
	file, err := vfs.Default.Open(name)
	if err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	t := &table{Readable: readable, name: name, found: found, damaged: make(map[int64]error)}
	var options pebble.Options
	options.EnsureDefaults()
	t.reader, err = sstable.NewReader(ctx, t, options.MakeReaderOptions())
	return t, err // after an error the reader has closed the file
}

// verifyTable compares every block of a table with its checksum.
func verifyTable(ctx context.Context, name string) error {
	t, err := openTable(ctx, name, nil)
	if err != nil {
		return err
	}
	return errors.Join(t.reader.ValidateBlockChecksums(), t.reader.Close())
}

func (t *table) ReadAt(ctx context.Context, p []byte, offset int64) error {
	t.last = offset
	if err := t.damaged[offset]; err != nil {
		return err
	}
	return t.Readable.ReadAt(ctx, p, offset)
}

func (t *table) NewReadHandle(objstorage.ReadBeforeSize) objstorage.ReadHandle {
	handle := objstorage.MakeNoopReadHandle(t)
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

// entries yields the table's entries in [from, to), of each key only the newest, and skips damaged blocks.
func (t *table) entries(from, to []byte) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		it, err := t.reader.NewIter(sstable.NoTransforms, from, to, sstable.AssertNoBlobHandles)
		if err != nil {
			t.damage(err, "no event in it can be read")
			return
		}
		defer func() { _ = it.Close() }() // its errors are reported below
		// It seeks rather than steps: past a damaged block there is no stepping.
		for next := from; next != nil; {
			kv := it.SeekGE(next, 0)
			if kv == nil {
				if it.Error() == nil {
					return
				}
				t.damage(it.Error(), lostBlock)
				next = t.beyond(it, next, to)
				continue
			}
			key := bytes.Clone(kv.K.UserKey)
			next = append(bytes.Clone(key), 0)
			value, _, err := kv.Value(nil)
			if err != nil {
				t.damage(err, "records whose values are in it are lost")
				continue
			}
			set := kv.Kind() == pebble.InternalKeyKindSet || kv.Kind() == pebble.InternalKeyKindSetWithDelete
			if !yield(entry{key: key, sequence: uint64(kv.SeqNum()), set: set, value: value}) {
				return
			}
		}
	}
}

// damage reports the block that was read last, once, and marks it.
func (t *table) damage(err error, meaning string) {
	if t.damaged[t.last] == nil {
		t.damaged[t.last] = err
		t.found(t.name, fmt.Sprintf("the block at offset %d: %v", t.last, err), meaning)
	}
}

// lostBlock is the meaning of a damaged block.
const lostBlock = "the records in it are lost; those of other blocks are read"

// maxKey is longer than every key of the store, see layout.KeyLengths, and than the separators in a table's index.
const maxKey = 48

// beyond is the smallest key after from that does not lead into the damaged block that was read last, nil if there is
// none below to. The index of the table is whole, so the keys that lead there are one range: halving finds its end.
func (t *table) beyond(it sstable.Iterator, from, to []byte) []byte {
	offset := t.last
	low, high := number(from), number(to)
	for one := big.NewInt(1); new(big.Int).Sub(high, low).Cmp(one) > 0; {
		middle := new(big.Int).Add(low, high)
		middle.Rsh(middle, 1)
		kv := it.SeekGE(middle.FillBytes(make([]byte, maxKey)), 0)
		if kv == nil && it.Error() != nil {
			t.damage(it.Error(), lostBlock) // it may be another block than that
			if t.last == offset {
				low = middle
				continue
			}
		}
		high = middle
	}
	if high.Cmp(number(to)) == 0 {
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

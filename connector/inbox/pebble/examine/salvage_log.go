package examine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/wal"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// batchHeader is the length of what precedes a batch's entries: the sequence number of the first, and their count.
const batchHeader = 12

// logReader collects the entries of a write-ahead log that a salvage needs.
type logReader struct {
	entries          []entry
	deleted          []deletion
	damage           error // the first that was met, and readBefore the number of batches before it
	read, readBefore int
}

// readLog reads a log. Only the newest may end in the middle of a record: that write was never acknowledged.
func readLog(log wal.LogicalLog, newest bool, found report) (l logReader) {
	for i := range log.NumSegments() {
		files, name := log.SegmentLocation(i)
		file, err := files.Open(name)
		if err != nil {
			found(name, err.Error(), "events that were accepted last may be lost")
			continue
		}
		l.readAll(file, uint64(log.Num))
		_ = file.Close() // it was only read
		torn := newest && errors.Is(l.damage, record.ErrUnexpectedEOF) && l.read == l.readBefore
		if l.damage != nil && !torn {
			found(name, l.damage.Error(), "events that were accepted last may be lost, some come back that were delivered")
		}
	}
	return l
}

// readAll reads a log's batches, and the beginnings of those that are damaged further on.
func (l *logReader) readAll(file io.ReaderAt, number uint64) {
	for start := int64(0); ; {
		records := newRecordReader(record.NewReader, io.NewSectionReader(file, start, math.MaxInt64-start), number)
		at, err := l.readRun(records)
		if errors.Is(err, io.EOF) {
			return
		}
		l.damaged(err)
		start += (at/layout.LogBlock + 1) * layout.LogBlock
	}
}

// readRun reads batches up to the first damage or the end of the log, and says where the last one starts.
func (l *logReader) readRun(records *record.Reader) (at int64, err error) {
	for {
		at = records.Offset()
		next, err := records.Next()
		if err != nil {
			return at, err
		}
		batch, err := io.ReadAll(next)
		decodeErr := l.decode(batch)
		if err != nil {
			return at, err
		}
		if l.read++; decodeErr != nil {
			l.damaged(decodeErr)
		}
	}
}

func (l *logReader) damaged(err error) {
	if l.damage == nil {
		l.damage, l.readBefore = err, l.read
	}
}

// newRecordReader calls record.NewReader, whose second parameter is of a type that only Pebble can name.
func newRecordReader[N ~uint64](newReader func(io.Reader, N) *record.Reader, r io.Reader, number uint64) *record.Reader {
	return newReader(r, N(number))
}

// decode reads a batch up to its end or its first damage, past which Pebble's own reader may read.
func (l *logReader) decode(batch []byte) error {
	d := layout.Decoder{Rest: batch}
	header := d.Take(batchHeader)
	if d.Err != nil {
		return d.Err
	}
	sequence := binary.LittleEndian.Uint64(header)
	for ; len(d.Rest) > 0; sequence++ {
		kind := pebble.InternalKeyKind(d.Byte())
		key := d.Take(d.Uvarint())
		var value []byte
		if kind == pebble.InternalKeyKindSet || kind == pebble.InternalKeyKindRangeDelete {
			value = d.Take(d.Uvarint())
		}
		if d.Err != nil {
			return d.Err
		}
		if !salvageable(key) {
			continue
		}
		switch kind {
		case pebble.InternalKeyKindSet:
			l.entries = append(l.entries, entry{key: key, sequence: sequence, set: true, value: value})
		case pebble.InternalKeyKindDelete, pebble.InternalKeyKindSingleDelete:
			l.entries = append(l.entries, entry{key: key, sequence: sequence})
		case pebble.InternalKeyKindRangeDelete:
			l.deleted = append(l.deleted, deletion{start: key, end: value, sequence: sequence})
		default:
			return fmt.Errorf("%w: an entry of kind %s, which the inbox never writes", layout.ErrRecord, kind)
		}
	}
	return nil
}

// salvageable reports whether a salvage needs a key: de-duplication keys are many, and of no use to it.
func salvageable(key []byte) bool { return len(key) > 0 && key[0] != layout.PrefixDuplicate }

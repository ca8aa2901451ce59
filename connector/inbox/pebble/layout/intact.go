package layout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// Pebble takes the first damaged record of a manifest for its end, as after a power loss that tore a write; the same
// holds for the last 32 KiB of the newest log. It deletes everything behind that record, and every table that only a
// deleted record names. The ledger tells damage from a torn write:
//
//   - A manifest's sync ends only once the ledger holds its new length. Pebble relies on the record, and deletes what
//     it replaces, only then. So nothing relies on bytes that the ledger does not hold yet.
//   - A log's first sync ends only once the ledger holds the log. Its later syncs are noted within a second, and when
//     the log ends, so that commits do not wait for two files.
//   - A file leaves the ledger before it is removed, and a manifest as soon as the marker of its successor is durable.
//
// So after any crash every file in the ledger exists, with the length and the checksum of the ledger; anything else is
// damage. One part remains: the end of the newest log, written less than a second before a crash. The records behind it
// judge it, see brokenOff. Damage to the very last record looks like a torn write, at times damage to the one before it
// too: Pebble wakes the callers of a sync before it notes the synced length.

// ErrDamaged is damage that was found before Pebble opened the store.
var ErrDamaged = errors.New("the store is damaged")

// MarkerPrefix begins the name of the marker, whose end is the name of the manifest in use.
const MarkerPrefix = "marker.manifest."

// IsManifest reports whether a file of that name is a manifest.
func IsManifest(name string) bool { return strings.HasPrefix(name, "MANIFEST-") }

// IsLog reports whether a file of that name is a write-ahead log.
func IsLog(name string) bool { return strings.HasSuffix(name, ".log") }

// OpenIntact reads a store's ledger and compares the files with it. The caller holds the store's lock.
func OpenIntact(files vfs.FS, path string) (*Ledger, error) {
	names, err := files.List(path)
	if errors.Is(err, fs.ErrNotExist) {
		names, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	desc, err := pebble.Peek(path, files)
	if err != nil {
		return nil, err
	}
	l, found, err := openLedger(files, path)
	switch {
	case err != nil:
		return nil, err
	case !desc.Exists:
		return l, l.begin(names)
	case !found:
		return nil, fmt.Errorf("%w: the file %s is missing or cannot be read", ErrDamaged, LedgerName)
	case !l.has(filepath.Base(desc.ManifestFilename)):
		return nil, fmt.Errorf("%w: %s is not a manifest that was in use", ErrDamaged, desc.ManifestFilename)
	}
	return l, l.verify(path)
}

// begin begins the ledger of a new store, unless the folder was used before. Pebble makes the manifest's marker durable
// before the first log or table, so no crash leaves these without it.
func (l *Ledger) begin(names []string) error {
	for _, name := range slices.Concat(names, slices.Collect(maps.Keys(l.files))) {
		if strings.HasSuffix(name, ".sst") || IsLog(name) {
			return fmt.Errorf("%w: there is or was %s, but no marker that names the manifest", ErrDamaged, name)
		}
	}
	l.files, l.changed = make(map[string]FilePrefix), true
	return nil
}

// verify compares the files with the ledger.
func (l *Ledger) verify(path string) error {
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		if err := l.verifyFile(l.fs.PathJoin(path, name), l.files[name]); err != nil {
			return err
		}
	}
	newest := l.newestLog()
	if newest == "" {
		return nil
	}
	return checkEnd(l.fs, l.fs.PathJoin(path, newest))
}

// newestLog is the name of the log with the highest number, empty if there is none.
func (l *Ledger) newestLog() (newest string) {
	var highest wal.NumWAL
	for name := range l.files {
		if number, _, ok := wal.ParseLogFilename(name); ok && number >= highest {
			newest, highest = name, number
		}
	}
	return newest
}

func (l *Ledger) verifyFile(name string, want FilePrefix) error {
	f, err := l.fs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrDamaged, name)
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	var sum summing
	switch n, err := io.Copy(&sum, io.LimitReader(f, want.length)); {
	case err != nil:
		return err
	case n < want.length:
		return fmt.Errorf("%w: %s is cut short: %d bytes of it are there, at least %d were written", ErrDamaged, name, n, want.length)
	case sum.FilePrefix != want:
		return fmt.Errorf("%w: the first %d bytes of %s are not what was written", ErrDamaged, want.length, name)
	}
	return nil
}

// summing is a writer that keeps the checksum of everything written.
type summing struct{ FilePrefix }

func (s *summing) Write(p []byte) (int, error) {
	s.FilePrefix = s.Grown(p)
	return len(p), nil
}

// The chunks of Pebble's write-ahead log in the format FormatWALSyncChunks. No chunk crosses the end of a block of 32
// KiB. Each says how much of the log was synced when it was written.
const (
	LogBlock            = 32 << 10
	chunkHeader         = 19    // a checksum, the length and kind of the chunk, the number of the log, and the synced length
	firstKind, lastKind = 9, 12 // this format's kinds
)

// checkEnd refuses a log with damage before its synced length. Pebble looks for that length only in later blocks.
func checkEnd(files vfs.FS, name string) error {
	number, _, ok := wal.ParseLogFilename(filepath.Base(name))
	if !ok {
		return nil
	}
	content, err := readWhole(files, name)
	if err != nil {
		return err
	}
	if at, broken := brokenOff(content, uint32(number)); broken {
		return fmt.Errorf("%w: %s is damaged at byte %d", ErrDamaged, name, at)
	}
	return nil
}

// brokenOff says where a log's chunks end, and whether a chunk behind that says that more was synced.
func brokenOff(content []byte, number uint32) (at int, broken bool) {
	for at < len(content) {
		block := content[at:min(at+LogBlock-at%LogBlock, len(content))]
		switch size, _, ok := readChunk(block, number); {
		case ok:
			at += size
		case len(block) < chunkHeader && len(bytes.Trim(block, "\x00")) == 0:
			at += len(block) // too little for another chunk
		default:
			return at, promisesMore(content, at, number)
		}
	}
	return at, false
}

// promisesMore looks for a chunk that was written when more than at bytes of the log were synced.
func promisesMore(content []byte, at int, number uint32) bool {
	for from := at + 1; from+chunkHeader <= len(content); from++ {
		block := content[from:min(from+LogBlock-from%LogBlock, len(content))]
		if _, synced, ok := readChunk(block, number); ok && synced > uint64(at) {
			return true
		}
	}
	return false
}

// readChunk reads a chunk from its header on.
func readChunk(b []byte, number uint32) (size int, synced uint64, ok bool) {
	if len(b) < chunkHeader || b[6] < firstKind || b[6] > lastKind || binary.LittleEndian.Uint32(b[7:]) != number {
		return 0, 0, false
	}
	size = chunkHeader + int(binary.LittleEndian.Uint16(b[4:]))
	if size > len(b) || binary.LittleEndian.Uint32(b) != masked(crc32.Checksum(b[6:size], castagnoli)) {
		return 0, 0, false
	}
	return size, binary.LittleEndian.Uint64(b[11:]), true
}

// masked is a checksum as LevelDB and its successors write it.
func masked(sum uint32) uint32 { return (sum>>15 | sum<<17) + 0xa282ead8 }

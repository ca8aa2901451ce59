package layout

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// The chunks of Pebble's write-ahead log in the format FormatWALSyncChunks. No chunk crosses the end of a block of 32
// KiB. Each says how much of the log was synced when it was written.
const (
	LogBlock = 32 << 10
	// chunkHeader is a checksum, the length and kind of the chunk, the number of the log, and the synced length.
	chunkHeader = 19
	// firstKind to lastKind are this format's kinds.
	firstKind, lastKind = 9, 12
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

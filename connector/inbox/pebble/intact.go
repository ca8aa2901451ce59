package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// refuseDamaged refuses the two damages that Pebble would pass over in silence,
// to delete what it then knows nothing of: a lost marker and a manifest that is
// damaged before its end.
func refuseDamaged(files vfs.FS, path string) error {
	names, err := files.List(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	desc, err := pebble.Peek(path, files)
	switch {
	case err != nil:
		return err
	case desc.Exists:
		return checkManifest(files, desc.ManifestFilename)
	}
	// Pebble makes the marker durable before the first data file, so no crash
	// leaves one without the other.
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") {
			return errors.New("there are data files, but no marker that names the manifest")
		}
	}
	return nil
}

// checkManifest refuses a manifest with a damaged record that whole ones
// follow. Without them the record is what a power loss left of the last write,
// which nothing relied on yet.
func checkManifest(files vfs.FS, path string) error {
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	content, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	records := record.NewReader(bytes.NewReader(content), 0)
	for {
		start := records.Offset()
		r, err := records.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && holdsRecord(content[start+1:]):
			return fmt.Errorf("%s is damaged at byte %d: %w", path, start, err)
		case err != nil:
			return nil
		}
	}
}

// holdsRecord looks for the beginning of a record at every byte: a checksum,
// the length and the kind, 1 to 4, of what follows.
func holdsRecord(content []byte) bool {
	const header, kindAt, lastKind = 7, 6, 4
	for ; len(content) > header; content = content[1:] {
		end := header + int(binary.LittleEndian.Uint16(content[4:]))
		if kind := content[kindAt]; kind == 0 || kind > lastKind || end > len(content) {
			continue
		}
		if binary.LittleEndian.Uint32(content) == maskedSum(content[kindAt:end]) {
			return true
		}
	}
	return false
}

// maskedSum is the checksum of Pebble's records: CRC-32C, masked as in LevelDB.
func maskedSum(b []byte) uint32 {
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (sum>>15 | sum<<17) + 0xa282ead8
}

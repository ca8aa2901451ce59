package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Ledger is a small file of ours beside Pebble's. It says how many bytes of each manifest and log are durable for
// certain, and their checksum. See intact.go for the consequences.
//
// The file has two slots, which are written in turn, in place. If a crash tears one, the other holds.
type Ledger struct {
	fs   vfs.FS
	path string

	writing    sync.Mutex // held while a slot is written
	generation uint64
	file       vfs.File

	// mu guards what follows.
	mu      sync.Mutex
	files   map[string]FilePrefix
	changed bool
}

// FilePrefix is the beginning of a file: its length, and the checksum of that.
type FilePrefix struct {
	length int64
	sum    uint32
}

// castagnoli is CRC-32C, for which processors have an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Grown is the prefix with more bytes.
func (p FilePrefix) Grown(b []byte) FilePrefix {
	return FilePrefix{p.length + int64(len(b)), crc32.Update(p.sum, castagnoli, b)}
}

const (
	// LedgerName is not a name that Pebble knows, so it leaves the file alone.
	LedgerName    = "LEDGER"
	ledgerVersion = 1
	// slotSize has room for over a thousand files; a store has a handful. Only the used part is written.
	slotSize   = 64 << 10
	slotHeader = 8 // the checksum of the rest, and its length
)

// openLedger reads a store's ledger. found is false if there is none, as in a folder that never held a store.
func openLedger(files vfs.FS, path string) (l *Ledger, found bool, err error) {
	l = &Ledger{fs: files, path: files.PathJoin(path, LedgerName), files: make(map[string]FilePrefix)}
	content, err := readWhole(files, l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for slot := range 2 {
		generation, known, ok := decodeSlot(content[min(slot*slotSize, len(content)):])
		if ok && (!found || generation > l.generation) {
			found, l.generation, l.files = true, generation, known
		}
	}
	return l, found, nil
}

func readWhole(files vfs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(f)
}

// Attest notes that a prefix of a file is durable. The next write tells the disk.
func (l *Ledger) Attest(name string, p FilePrefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files[name], l.changed = p, true
}

// has reports whether the ledger knows a file.
func (l *Ledger) has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, found := l.files[name]
	return found
}

// Forget makes durable that a file may be missing. It must return before the file is removed. After a write that
// failed, the ledger on disk may hold a file that is not known here.
func (l *Ledger) Forget(name string) error {
	return l.forget(func(known string, _ FilePrefix) bool { return known == name })
}

// ReplaceManifests forgets all manifests but one.
func (l *Ledger) ReplaceManifests(by string) error {
	return l.forget(func(known string, _ FilePrefix) bool { return IsManifest(known) && known != by })
}

func (l *Ledger) forget(gone func(string, FilePrefix) bool) error {
	l.mu.Lock()
	before := len(l.files)
	maps.DeleteFunc(l.files, gone)
	l.changed = l.changed || len(l.files) < before
	l.mu.Unlock()
	return l.Write()
}

// Write makes the ledger durable if anything has changed.
func (l *Ledger) Write() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	slot, changed := encodeSlot(l.generation+1, l.files), l.changed
	l.changed = false
	l.mu.Unlock()
	if !changed {
		return nil
	}
	if err := l.writeSlot(slot); err != nil {
		l.mu.Lock()
		l.changed = true
		l.mu.Unlock()
		return fmt.Errorf("write the store's ledger: %w", err)
	}
	l.generation++
	return nil
}

// writeSlot writes the next generation over the last but one.
func (l *Ledger) writeSlot(slot []byte) error {
	if len(slot) > slotSize {
		return errors.New("its slot would be too long")
	}
	if l.file == nil {
		file, err := l.fs.OpenReadWrite(l.path, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		l.file = file
	}
	if _, err := l.file.WriteAt(slot, int64((l.generation+1)%2)*slotSize); err != nil {
		return err
	}
	return l.file.SyncData()
}

// Close closes the file; what changed since the last write is lost.
func (l *Ledger) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

func encodeSlot(generation uint64, files map[string]FilePrefix) []byte {
	slot := append(make([]byte, slotHeader, 256), ledgerVersion)
	slot = binary.AppendUvarint(slot, generation)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		p := files[name]
		slot = binary.AppendVarint(appendString(slot, name), p.length)
		slot = binary.LittleEndian.AppendUint32(slot, p.sum)
	}
	binary.LittleEndian.PutUint32(slot[4:], uint32(len(slot)))
	binary.LittleEndian.PutUint32(slot, crc32.Checksum(slot[4:], castagnoli))
	return slot
}

// decodeSlot reads a slot; ok is false if it was never written, or is damaged.
func decodeSlot(slot []byte) (generation uint64, files map[string]FilePrefix, ok bool) {
	if len(slot) < slotHeader {
		return 0, nil, false
	}
	length := int(binary.LittleEndian.Uint32(slot[4:]))
	if length < slotHeader || length > len(slot) || binary.LittleEndian.Uint32(slot) != crc32.Checksum(slot[4:length], castagnoli) {
		return 0, nil, false
	}
	d := Decoder{Rest: slot[slotHeader:length]}
	if d.Byte() != ledgerVersion {
		return 0, nil, false
	}
	generation, files = d.Uvarint(), make(map[string]FilePrefix)
	for len(d.Rest) > 0 {
		name, length := d.string(), d.varint()
		if sum := d.Take(4); sum != nil {
			files[name] = FilePrefix{length, binary.LittleEndian.Uint32(sum)}
		}
	}
	return generation, files, d.Err == nil
}

package layout

import (
	"bytes"
	"maps"
	"testing"
)

// FuzzLedgerSlot: what reads as a slot is written in the same way again, and a slot with another byte is none.
func FuzzLedgerSlot(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add(encodeSlot(1, nil), 3)
	f.Add(encodeSlot(7, map[string]FilePrefix{"000004.log": {1 << 20, 5}, "MANIFEST-000001": {42, 1 << 31}}), 20)
	f.Fuzz(func(t *testing.T, slot []byte, at int) {
		generation, files, ok := decodeSlot(slot)
		if !ok {
			return
		}
		again := encodeSlot(generation, files)
		if g, fs, ok := decodeSlot(again); !ok || g != generation || !maps.Equal(fs, files) {
			t.Fatalf("%v, %v becomes %v, %v", generation, files, g, fs)
		}
		if at = max(at, -at) % len(again); at < 0 {
			return
		}
		again[at] ^= 0x40
		if _, _, ok := decodeSlot(again); ok {
			t.Fatalf("a bit flipped at %d goes unnoticed", at)
		}
	})
}

// FuzzBrokenOff: any content is read without a panic, and nothing promises more than itself.
func FuzzBrokenOff(f *testing.F) {
	f.Add([]byte{}, uint32(4))
	f.Add(bytes.Repeat([]byte{0}, LogBlock+30), uint32(4))
	f.Add(append(make([]byte, LogBlock-10), 1, 2, 3, 4, 5, 0, 9, 4, 0, 0, 0), uint32(4))
	f.Fuzz(func(t *testing.T, content []byte, number uint32) {
		at, broken := brokenOff(content, number)
		if at > len(content) || broken && at == len(content) {
			t.Fatalf("%d bytes end at %d, broken %v", len(content), at, broken)
		}
	})
}

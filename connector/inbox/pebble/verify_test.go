package pebble_test

import (
	"bytes"
	"os"
	"testing"
)

// TestEveryByteOfATableIsChecked flips a bit in each byte of a table, also where no record lies. The connector may come
// to any of them, so a check and an export find each.
func TestEveryByteOfATableIsChecked(t *testing.T) {
	whole := newDiskStore(t)
	whole.open()
	whole.accept(2)
	whole.close()
	whole.flush()
	d := whole.copy(t)
	for _, table := range d.glob("*.sst") {
		content, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(content)-tableFooter; at += stride {
			harmed := bytes.Clone(content)
			harmed[at] ^= 1 << (at % 8)
			d.edit(table, func([]byte) []byte { return harmed })
			if x := d.examine(); len(x.checked) == 0 || len(x.findings) == 0 {
				t.Errorf("%s flipped at %d of %d: check finds %v, export %v", table, at, len(content), x.checked, x.findings)
			}
		}
		d.edit(table, func([]byte) []byte { return content })
	}
}

const (
	// stride leaves some bytes out, but no block: none is as short.
	stride = 31
	// tableFooter has no checksum, and room for longer numbers: a table opens whatever that holds, and does not open if
	// the rest is damaged.
	tableFooter = 53
)

package examine

import "testing"

// FuzzDecodeBatch reads batches of the write-ahead log as they are after damage.
func FuzzDecodeBatch(f *testing.F) {
	header := string(make([]byte, batchHeader))
	f.Add([]byte(header + "\x01\x02ex\x01v\x00\x01e"))
	f.Add([]byte(header + "\x0f\x01e\x01f"))
	f.Fuzz(func(t *testing.T, batch []byte) {
		var l logReader
		_ = l.decode(batch) // any damage is fine
		held := 0
		for _, e := range l.entries {
			held += len(e.key) + len(e.value)
		}
		if held > len(batch) {
			t.Fatalf("%d bytes from %d", held, len(batch))
		}
	})
}

// Package digest identifies lists of values by a hash.
package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Of returns the SHA-256 of parts, each with its length before it, so that no two lists of parts give the same bytes. A
// short list allocates no memory.
func Of(parts ...[]byte) [sha256.Size]byte {
	buffer := make([]byte, 0, 512)
	for _, part := range parts {
		buffer = binary.BigEndian.AppendUint64(buffer, uint64(len(part)))
		buffer = append(buffer, part...)
	}
	return sha256.Sum256(buffer)
}

// Text returns the first 8 bytes of Of as 16 lower-case hex digits: enough to tell versions of a configuration apart,
// and short enough to compare by eye.
func Text(parts ...[]byte) string {
	sum := Of(parts...)
	return hex.EncodeToString(sum[:8])
}

package listener

import "strconv"

// chunks finds the end of a chunked body. It takes nothing that net/http would
// not take: what comes after anything else is never handed over, since nobody
// could tell where the next header begins.
type chunks struct {
	open  bool
	state chunkState
	// size is that of the chunk, and then what is left of it.
	size uint64
	// digits are those of the size, then the bytes of a trailer's line.
	digits int
	// broken ends the connection.
	broken bool
}

type chunkState int

const (
	inSize chunkState = iota
	inExtension
	inSizeEnd
	inData
	inDataEnd
	inDataEndLF
	inTrailer
	inTrailerEnd
)

// maxSizeDigits keep a chunk's size within 64 bits.
const maxSizeDigits = 16

// follow reads on, and returns how many bytes belong to the body.
func (k *chunks) follow(p []byte) int {
	for i := 0; i < len(p); i++ {
		if k.state == inData {
			n := min(uint64(len(p)-i), k.size) //nolint:gosec // i is below len(p)
			k.size -= n
			i += int(n) - 1 //nolint:gosec // at most len(p)
			if k.size == 0 {
				k.state = inDataEnd
			}
			continue
		}
		k.broken = !k.step(p[i])
		if !k.open || k.broken {
			return i + 1
		}
	}
	return len(p)
}

// step takes one byte outside of the data. It reports whether the byte may stand
// there.
func (k *chunks) step(b byte) bool {
	switch k.state {
	case inSize:
		return k.inSize(b)
	case inExtension:
		if b == '\r' {
			k.state = inSizeEnd
		}
		return b != '\n'
	case inSizeEnd:
		k.state = inData
		if k.size == 0 {
			k.state, k.digits = inTrailer, 0
		}
		return b == '\n'
	case inDataEnd:
		k.state = inDataEndLF
		return b == '\r'
	case inDataEndLF:
		k.state, k.size, k.digits = inSize, 0, 0
		return b == '\n'
	case inTrailer:
		if b == '\r' {
			k.state = inTrailerEnd
		} else {
			k.digits++
		}
		return b != '\n'
	default: // inTrailerEnd
		k.open = k.digits > 0 // the empty line ends the body
		k.state, k.digits = inTrailer, 0
		return b == '\n'
	}
}

func (k *chunks) inSize(b byte) bool {
	digit, err := strconv.ParseUint(string(rune(b)), 16, 4)
	switch {
	case err == nil && k.digits < maxSizeDigits:
		k.size, k.digits = k.size<<4|digit, k.digits+1
		return true
	case k.digits == 0:
		return false
	case b == '\r':
		k.state = inSizeEnd
		return true
	case b == ';' || b == ' ' || b == '\t':
		k.state = inExtension
		return true
	}
	return false
}

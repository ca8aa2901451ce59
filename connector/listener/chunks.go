package listener

import "strconv"

// chunks finds the end of a chunked body. It takes nothing that net/http would refuse: the next header would have no
// certain beginning.
type chunks struct {
	open        bool
	line        chunkLine
	inData      bool   // the bytes are those of a chunk, not of a line
	size        uint64 // that of the chunk, and then the part of it that is left
	length      int    // that of the line so far; of a chunk's first line, without its extension
	inExtension bool   // the size of the chunk is complete
	ending      bool   // the line's carriage return was read
	broken      bool   // the connection ends
}

// chunkLine is a line of a chunked body.
type chunkLine int

const (
	sizeLine chunkLine = iota
	// dataEnd is the empty line behind a chunk's data.
	dataEnd
	trailerLine
)

// maxSizeDigits keep a chunk's size within 64 bits.
const maxSizeDigits = 16

// follow reads on, and returns how many bytes belong to the body.
func (k *chunks) follow(p []byte) int {
	for i := 0; i < len(p); i++ {
		if k.inData {
			n := min(uint64(len(p)-i), k.size) //nolint:gosec // i is below len(p)
			k.size -= n
			i += int(n) - 1 //nolint:gosec // at most len(p)
			k.inData = k.size > 0
			continue
		}
		k.broken = !k.step(p[i])
		if !k.open || k.broken {
			return i + 1
		}
	}
	return len(p)
}

// step takes one byte of a line. It reports whether the byte may stand there.
func (k *chunks) step(b byte) bool {
	switch {
	case k.ending:
		k.endLine()
		return b == '\n'
	case b == '\r':
		k.ending = true
		return k.line != sizeLine || k.length > 0
	case b == '\n' || k.line == dataEnd:
		return false
	case k.line == sizeLine && !k.inExtension:
		return k.sizeByte(b)
	case k.line == trailerLine:
		k.length++
	}
	return true
}

// endLine begins the data or the line that follows the line.
func (k *chunks) endLine() {
	switch {
	case k.line == sizeLine && k.size > 0:
		k.line, k.inData = dataEnd, true
	case k.line == dataEnd:
		k.line = sizeLine
	default:
		k.open = k.line == sizeLine || k.length > 0 // the empty line ends the body
		k.line = trailerLine
	}
	k.length, k.inExtension, k.ending = 0, false, false
}

func (k *chunks) sizeByte(b byte) bool {
	digit, err := strconv.ParseUint(string(rune(b)), 16, 4)
	if err == nil && k.length < maxSizeDigits {
		k.size, k.length = k.size<<4|digit, k.length+1
		return true
	}
	k.inExtension = true
	return k.length > 0 && (b == ';' || b == ' ' || b == '\t')
}

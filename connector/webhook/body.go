package webhook

import (
	"errors"
	"io"
	"os"
)

// firstRead bounds the first room for a body, in bytes. A longer body gets more room once that much has arrived,
// whatever length it declares. Events are smaller than this, so they are read into one buffer of their own size.
const firstRead = 4 << 10

var (
	// errTooLarge: the body is larger than allowed.
	errTooLarge = errors.New("body too large")
	// errNoRoom: the other bodies leave no memory for more of this one, or this call had to give way to another.
	errNoRoom = errors.New("no room for the body")
)

// bodyReader reads the whole body of a call, at most limit bytes; one byte more is errTooLarge, never a body cut short.
// The inbox may hold on to a body after a call has timed out, so every call has a buffer of its own. It is never larger
// than the ticket says, which doubles as the body arrives.
type bodyReader struct {
	io.Reader

	declared, limit int64 // declared is -1 if unknown
	ticket          *ticket
}

// read returns the body, or why there is none.
func (b bodyReader) read() ([]byte, error) {
	if b.declared > b.limit {
		return nil, errTooLarge
	}
	body, err := b.grow(nil, min(firstRead, b.largest()))
	for err == nil && int64(len(body)) != b.declared {
		if len(body) == cap(body) {
			body, err = b.readFurther(body)
			continue
		}
		var n int
		n, err = b.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
	}
	whole := b.declared < 0 || int64(len(body)) == b.declared
	if err == nil || errors.Is(err, io.EOF) && whole {
		return body, nil
	}
	return nil, err
}

// largest is how large the body may still turn out to be.
func (b bodyReader) largest() int64 {
	if b.declared >= 0 {
		return b.declared
	}
	return b.limit
}

// readFurther reads a byte beyond the full buffer of body and, if there is one, doubles the room: a body that ends here
// needs no more.
func (b bodyReader) readFurther(body []byte) ([]byte, error) {
	var next [1]byte
	if _, err := io.ReadFull(b, next[:]); err != nil {
		return body, err
	}
	size := min(2*int64(cap(body)), b.largest())
	if size == int64(cap(body)) {
		return nil, errTooLarge
	}
	body, err := b.grow(body, size)
	return append(body, next[:]...), err
}

// grow copies body into a buffer of size bytes, if there is room for it.
func (b bodyReader) grow(body []byte, size int64) ([]byte, error) {
	if !b.ticket.widen(size) {
		return nil, errNoRoom
	}
	return append(make([]byte, 0, size), body...), nil
}

// bodyRefusal is the answer to a call whose body could not be read.
func bodyRefusal(err error, cutOff bool) *reply {
	switch {
	case cutOff:
		return answerCutOff
	case errors.Is(err, errNoRoom):
		return answerBusy
	case errors.Is(err, errTooLarge):
		return answerTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answerSlowBody
	default:
		return answerCutShort
	}
}

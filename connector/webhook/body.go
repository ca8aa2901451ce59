package webhook

import (
	"errors"
	"io"
	"net/http"
	"os"

	"golang.org/x/sync/semaphore"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// firstRead is the first room for a body of unknown length, in bytes; it grows
// as needed. Events are smaller than this.
const firstRead = 4 << 10

var (
	// errTooLarge: the body is larger than allowed.
	errTooLarge = errors.New("body too large")
	// errNoRoom: the other bodies leave no memory for more of this one.
	errNoRoom = errors.New("no room for the body")
)

// room is what one call has of the memory for bodies, in bytes.
type room struct {
	free *semaphore.Weighted
	held int64
}

// widen makes the room at least size large, and reports whether it could.
func (r *room) widen(size int64) bool {
	if size > r.held {
		if !r.free.TryAcquire(size - r.held) {
			return false
		}
		r.held = size
	}
	return true
}

// leave gives the room back.
func (r *room) leave() { r.free.Release(r.held) }

// firstSize is the room that a call begins with: that of its whole body, when
// it says how long that is.
func firstSize(call *http.Request, limit int64) int64 {
	if call.ContentLength >= 0 {
		return min(limit, call.ContentLength)
	}
	return min(limit, firstRead)
}

// readBody reads the whole body, at most limit bytes; one byte more is
// errTooLarge, never a body cut short. The inbox may hold on to a body after a
// call has timed out, so every call has a buffer of its own. It is never larger
// than r, which a body of unknown length widens as it grows.
func readBody(call *http.Request, limit int64, r *room) ([]byte, error) {
	if call.ContentLength > limit {
		return nil, errTooLarge
	}
	if call.ContentLength >= 0 {
		body := make([]byte, call.ContentLength)
		_, err := io.ReadFull(call.Body, body)
		return body, err
	}
	body := make([]byte, 0, r.held)
	for {
		n, err := call.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == nil && len(body) == cap(body) {
			body, err = readFurther(call.Body, body, limit, r)
		}
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// readFurther reads a byte beyond the full buffer of body and, if there is one,
// widens the room for it: a body that ends here needs no more.
func readFurther(reader io.Reader, body []byte, limit int64, r *room) ([]byte, error) {
	var next [1]byte
	if _, err := io.ReadFull(reader, next[:]); err != nil {
		return body, err
	}
	size := min(limit, 2*r.held)
	if size == r.held {
		return nil, errTooLarge
	}
	if !r.widen(size) {
		return nil, errNoRoom
	}
	return append(append(make([]byte, 0, size), body...), next[0]), nil
}

// bodyRefusal says how a body that could not be read is answered.
func bodyRefusal(err error) (*answer, channel.Reason) {
	switch {
	case errors.Is(err, errNoRoom):
		return answerBusy, reasonBusy
	case errors.Is(err, errTooLarge):
		return answerTooLarge, reasonTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answerSlowBody, reasonTimeout
	default:
		return answerCutShort, reasonAborted
	}
}

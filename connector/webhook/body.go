package webhook

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// firstRead is the room for a body of unknown length, in bytes; it grows as
// needed. Events are smaller than this.
const firstRead = 4 << 10

// errTooLarge: the body is larger than allowed.
var errTooLarge = errors.New("body too large")

// readBody reads the whole body, at most limit bytes; one byte more is
// errTooLarge, never a body cut short. The inbox may hold on to a body after a
// call has timed out, so every call has a buffer of its own.
func readBody(call *http.Request, limit int64) ([]byte, error) {
	if call.ContentLength > limit {
		return nil, errTooLarge
	}
	if call.ContentLength >= 0 {
		body := make([]byte, call.ContentLength)
		_, err := io.ReadFull(call.Body, body)
		return body, err
	}
	body := make([]byte, 0, min(firstRead, limit+1))
	for {
		n, err := call.Body.Read(body[len(body):min(int64(cap(body)), limit+1)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
	}
}

// bodyRefusal says how a body that could not be read is answered.
func bodyRefusal(err error) (*answer, channel.Reason) {
	switch {
	case errors.Is(err, errTooLarge):
		return answerTooLarge, reasonTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answerSlowBody, reasonTimeout
	default:
		return answerCutShort, reasonAborted
	}
}

package listener

import (
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	refusalHeader = "Content-Type: application/json\r\nConnection: close\r\n\r\n"
	// lingerTime and lingerSize bound the reading after a refusal: bytes unread would reset the connection.
	lingerTime = 500 * time.Millisecond
	lingerSize = 64 << 10
)

// refusals are the answers to headers that are refused, and the metric's reasons.
var refusals = map[error]struct{ status, reason string }{
	errHeaderSize:  {"431 Request Header Fields Too Large", "header_size"},
	errHeaderLines: {"431 Request Header Fields Too Large", "header_lines"},
	errFraming:     {"400 Bad Request", "ambiguous_length"},
}

// refuse answers a header in place of net/http and ends the connection. After its io.EOF net/http answers nothing.
//
// net/http reads ahead while it serves a call: first comes that call's answer, with the next read the refusal.
func (c *Conn) refuse(why error) error {
	c.refusal = why
	if c.refused || c.serving.Load() {
		return io.EOF
	}
	c.refused = true
	with := refusals[why]
	c.listener.count(with.reason)
	_ = c.raw.SetWriteDeadline(time.Now().Add(lingerTime)) // a closed connection fails the write
	_, err := io.WriteString(c.Conn, "HTTP/1.1 "+with.status+"\r\n"+refusalHeader+refusalBody(why.Error()))
	if errors.Join(err, c.CloseWrite()) == nil {
		_ = c.raw.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.raw, lingerSize)
	}
	return io.EOF
}

func refusalBody(message string) string { return fmt.Sprintf(`{"status":"1","message":%q}`, message) }

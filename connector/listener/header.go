package listener

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// Why a header is refused.
var (
	errHeaderSize  = errors.New("the request line and header are too large")
	errHeaderLines = errors.New("the header has too many lines")
	errFraming     = errors.New("the body's length is ambiguous: send one Content-Length, or Transfer-Encoding: chunked alone")
)

// headerSearch looks for the end of a header in a buffer that grows.
type headerSearch struct {
	line, scanned int // where the line under way begins, scanned how far it was read
	lines         int
}

// find returns the size of the header with its empty line, 0 while it is not complete. Lines end as in net/http: with
// \n or \r\n. Empty lines before the request line belong to the header, since net/http skips some.
func (s *headerSearch) find(buffer []byte, limits Limits) (size int, err error) {
	for {
		i := bytes.IndexByte(buffer[s.scanned:], '\n')
		if i < 0 {
			s.scanned = len(buffer)
			return 0, nil
		}
		end := s.scanned + i
		empty := end == s.line || (end == s.line+1 && buffer[s.line] == '\r')
		s.line, s.scanned = end+1, end+1
		switch {
		case s.line > limits.HeaderSize:
			return 0, errHeaderSize
		case empty && s.lines > 0:
			return s.line, nil
		case !empty:
			s.lines++
		}
		if s.lines > limits.HeaderLines+1 { // the request line is none of them
			return 0, errHeaderLines
		}
	}
}

// framing returns the length of the body after a whole header, or that it is chunked. If net/http refuses the header,
// any result will do.
func framing(header []byte) (length int64, chunked bool, err error) {
	request, rest, _ := bytes.Cut(bytes.TrimLeft(header, "\r\n"), []byte("\n"))
	var f fields
	for line := range bytes.Lines(rest) {
		if err := f.follow(line); err != nil {
			return 0, false, err
		}
	}
	if f.chunked && (f.given || !knowsChunks(request)) {
		return 0, false, errFraming
	}
	return f.length, f.chunked, nil
}

// fields are a header's lines about its body.
type fields struct {
	length  int64 // the Content-Length, if it is given
	given   bool
	chunked bool // there is a Transfer-Encoding
	known   bool // the line before was one of these
}

// follow takes the next line of a header.
func (f *fields) follow(line []byte) error {
	if line[0] == ' ' || line[0] == '\t' {
		if f.known {
			return errFraming // one of these goes on
		}
		return nil
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	text := strings.Trim(string(bytes.TrimRight(value, "\r\n")), " \t")
	f.known = true
	switch {
	case bytes.EqualFold(name, []byte("content-length")):
		next, err := strconv.ParseUint(text, 10, 62)
		if err != nil || f.given && int64(next) != f.length {
			return errFraming
		}
		f.length, f.given = int64(next), true
	case bytes.EqualFold(name, []byte("transfer-encoding")):
		if f.chunked || !strings.EqualFold(text, "chunked") {
			return errFraming
		}
		f.chunked = true
	default:
		f.known = false
	}
	return nil
}

// knowsChunks: HTTP/1.0 knows none, so net/http looks at the Content-Length alone.
func knowsChunks(request []byte) bool {
	return bytes.HasSuffix(bytes.TrimRight(request, "\r"), []byte("HTTP/1.1"))
}

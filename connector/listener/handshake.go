package listener

import (
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
)

const (
	// handshakeSize bounds the bytes of a TLS handshake. A client sends below 3 KiB; crypto/tls would buffer 64 KiB.
	handshakeSize = 8 << 10
	// recordSize is the largest TLS record with its header: the first may hold a whole header and the begin of a body.
	recordSize = 17 << 10
	unbounded  = math.MaxInt
)

// plainSize bounds the encrypted bytes between handshake and key, with room for a header in records of any size.
func plainSize(headerSize int) int { return 2*headerSize + recordSize }

// guard bounds TLS's reading before a key is shown: above TLS only plain text can be counted.
type guard struct {
	net.Conn

	left int
}

func (g *guard) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, io.EOF
	}
	n, err := g.Conn.Read(p[:min(len(p), g.left)])
	if g.left != unbounded {
		g.left -= n
	}
	return n, err
}

// refuseHandshake counts a failed handshake, and tells a caller that speaks plain HTTP what is wrong.
func (c *Conn) refuseHandshake(err error) {
	c.listener.count("tls_handshake")
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && plain.Conn != nil && isASCIILetter(plain.RecordHeader[0]) {
		_, _ = io.WriteString(c.raw, "HTTP/1.1 400 Bad Request\r\n"+refusalHeader+refusalBody("this port speaks HTTPS"))
	}
}

func isASCIILetter(b byte) bool { return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' }

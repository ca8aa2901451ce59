package listener

import (
	"container/list"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"sync/atomic"
)

// smallBuffer is room for a usual header; a larger buffer is not kept between calls.
const smallBuffer = 1 << 10

// Conn is a connection of a Listener. It hands over one header at a time, whole, and then the body that the header
// announces. So it sees every header, and none larger than the limits reaches net/http.
type Conn struct {
	// Conn is read in plain text: raw itself, or TLS over it.
	net.Conn

	raw      net.Conn
	guard    *guard
	listener *Listener

	place *list.Element // place and class are guarded by the registry
	class class
	open  atomic.Bool // the connection is handed over

	keyShown atomic.Bool
	spent    int // the bytes read before a key was shown

	buffer  []byte // bytes that were read and not handed over
	search  headerSearch
	left    int64       // the number of bytes until the next header: those of this one, and of a body of known length
	chunks  chunks      // chunks follow a chunked body, which comes after left
	serving atomic.Bool // net/http serves a call, and its answer is not complete
	idle    atomic.Bool // net/http waits for the next call
	refusal error       // why the header that comes next is refused; nil if it is not
	// refused: a header was answered here, and there is nothing more to read. net/http reads once more after the end.
	refused bool
}

// ShowKey says that a call on the connection had a right API key.
func (c *Conn) ShowKey() {
	if c != nil && !c.keyShown.Swap(true) {
		c.listener.registry.raise(c, showedKey)
	}
}

// Verify says that a call brought a new event with a right signature. A known event may be a captured one.
func (c *Conn) Verify() {
	if c != nil {
		c.ShowKey()
		c.listener.registry.raise(c, showedSignature)
	}
}

// begin makes the TLS handshake, if there is one, and reads the first header.
func (c *Conn) begin() error {
	if encrypted, ok := c.Conn.(*tls.Conn); ok {
		if err := encrypted.Handshake(); err != nil { //nolint:noctx // the connection's deadline ends it
			c.refuseHandshake(err)
			return err
		}
		c.guard.left = plainSize(c.listener.options.Limits.HeaderSize)
	}
	return c.readHeader()
}

// Read implements net.Conn. Like net/http it expects one reader at a time.
func (c *Conn) Read(p []byte) (int, error) {
	if c.refusal != nil {
		return 0, c.refuse(c.refusal)
	}
	if c.left == 0 && !c.chunks.open {
		if err := c.readHeader(); err != nil {
			return 0, err
		}
	}
	if c.left > 0 {
		n, err := c.take(p[:min(int64(len(p)), c.left)])
		c.left -= int64(n)
		return n, err
	}
	if c.chunks.broken {
		return 0, io.EOF
	}
	n, err := c.take(p)
	if own := c.chunks.follow(p[:n]); own < n {
		c.buffer = append(slices.Clone(p[own:n]), c.buffer...)
		n = own
	}
	return n, err
}

// readHeader makes buffer begin with a whole header.
func (c *Conn) readHeader() error {
	limits := c.listener.options.Limits
	for {
		size, err := c.search.find(c.buffer, limits)
		if err == nil && size == 0 && len(c.buffer) >= limits.HeaderSize {
			err = errHeaderSize
		}
		if err != nil {
			return c.refuse(err)
		}
		if size > 0 {
			return c.accept(size)
		}
		if err := c.fill(limits.HeaderSize); err != nil {
			return err
		}
	}
}

// accept sees from a whole header what follows it.
func (c *Conn) accept(size int) error {
	length, chunked, err := framing(c.buffer[:size])
	if err != nil {
		return c.refuse(err)
	}
	c.search = headerSearch{}
	c.left, c.chunks = int64(size)+length, chunks{open: chunked}
	return nil
}

// fill reads on into buffer, which never grows beyond limit.
func (c *Conn) fill(limit int) error {
	if len(c.buffer) == cap(c.buffer) {
		c.buffer = slices.Grow(c.buffer, max(smallBuffer, len(c.buffer)))
	}
	n, err := c.read(c.buffer[len(c.buffer):min(limit, cap(c.buffer))])
	c.buffer = c.buffer[:len(c.buffer)+n]
	if n > 0 {
		return nil
	}
	return err
}

// take hands over buffered bytes, or else reads.
func (c *Conn) take(p []byte) (int, error) {
	if len(c.buffer) == 0 {
		return c.read(p)
	}
	n := copy(p, c.buffer)
	rest := copy(c.buffer, c.buffer[n:])
	c.buffer = c.buffer[:rest]
	if rest == 0 && cap(c.buffer) > smallBuffer {
		c.buffer = nil
	}
	return n, nil
}

// read reads from the network. Of a connection that has shown no key it reads only as much as a header may have.
func (c *Conn) read(p []byte) (int, error) {
	if c.keyShown.Load() {
		if c.guard != nil {
			c.guard.left = unbounded
		}
		return c.Conn.Read(p)
	}
	room := c.listener.options.Limits.HeaderSize - c.spent
	if room <= 0 {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p[:min(len(p), room)])
	c.spent += n
	return n, err
}

// CloseWrite ends the sending, so that a caller still reads its answer. net/http then waits half a second for a caller
// whose body was not read. Many such calls must not fill the places.
func (c *Conn) CloseWrite() error {
	c.listener.registry.lower(c)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.listener.registry.remove(c)
	return c.Conn.Close()
}

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

// refuseHandshake counts a failed handshake, and tells a caller of plain HTTP about HTTPS.
func (c *Conn) refuseHandshake(err error) {
	c.listener.count("tls_handshake")
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && plain.Conn != nil && isASCIILetter(plain.RecordHeader[0]) {
		_, _ = io.WriteString(c.raw, "HTTP/1.1 400 Bad Request\r\n"+refusalHeader+refusalBody("this port speaks HTTPS"))
	}
}

func isASCIILetter(b byte) bool { return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' }

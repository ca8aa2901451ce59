// Package listener bounds the connections, memory, descriptors and log lines that a caller without a key can take.
//
// A connection reaches net/http only when its first header is complete: until then it costs a small goroutine and the
// bytes received. Every header is bounded in bytes and in lines, since net/http takes some 30 bytes of memory for each
// byte of a header of tiny lines. Two lengths for one body are refused: net/http drops the Content-Length before a
// handler can see it, and a proxy in front may go by the other one.
//
// If there are too many connections, the oldest one that has shown the least is closed, never the newest: with a plain
// limit strangers could hold every place.
package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// FirstHeaderTimeout is how long a new connection may take to send its first header, TLS handshake included. It is
// generous: load balancers open connections ahead of their first call.
const FirstHeaderTimeout = 10 * time.Second

// acceptPause is the wait after an accept without descriptors or memory: no spinning, yet short for a caller's 2 s.
const acceptPause = 10 * time.Millisecond

// Limits are the bounds of one listener; all are required.
type Limits struct {
	// Connections is the number of connections at once, until Resize.
	Connections int
	// HeaderSize is the largest request line and header, in bytes, and all that is read before a key is shown.
	HeaderSize int
	// HeaderLines is the largest number of header lines.
	HeaderLines int
}

// Options configure a Listener; Name, Limits and Metrics are required.
type Options struct {
	// Name is the metrics' label "listener".
	Name string
	// Limits are its bounds.
	Limits Limits
	// Keyless: the server asks for no key, so that none has to be shown before a body is read.
	Keyless bool
	// TLS makes every connection a TLS one, below the bounds, which count plain text. Default: plain text.
	TLS *tls.Config
	// Metrics are the process's instruments.
	Metrics *telemetry.Metrics
}

// Listener is a net.Listener whose connections have sent a whole header when Accept returns them.
type Listener struct {
	net.Listener

	options  Options
	registry registry
	ready    chan *Conn
	closed   chan struct{}
	close    func() error
	failed   chan error     // why inner no longer accepts
	opening  sync.WaitGroup // the accept loop and the connections that it has not handed over
}

// Serve serves the calls of the connections, bounded, until the server is shut down or closed. Then it returns nil,
// while a Shutdown may still wait. It sets the server's MaxHeaderBytes, ConnContext and ConnState, and closes l.
func (l *Listener) Serve(server *http.Server) error {
	server.MaxHeaderBytes = l.options.Limits.HeaderSize
	server.ConnContext, server.ConnState = connContext, connState
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Resize changes the number of connections at once, at any time. It closes the oldest ones that have shown the least,
// but none with a call under way: these go with their answer. Verified connections beyond their share of the new number
// lose their protection, the oldest first.
func (l *Listener) Resize(connections int) {
	l.registry.resize(connections)
	for l.registry.evictIdle() {
		l.count("displaced")
	}
}

// New bounds the connections of inner, which the Listener closes with itself.
func New(inner net.Listener, o Options) *Listener {
	l := &Listener{
		Listener: inner, options: o, registry: registry{limit: o.Limits.Connections},
		ready: make(chan *Conn), closed: make(chan struct{}), failed: make(chan error, 1),
	}
	l.close = sync.OnceValue(func() error {
		close(l.closed)
		err := l.Listener.Close()
		l.registry.closeOpening()
		l.opening.Wait()
		return err
	})
	l.registry.measure(o.Metrics, o.Name)
	l.opening.Go(l.acceptAll)
	return l
}

// Accept returns the next connection with a whole header. The error is that of the inner listener, and final.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case err := <-l.failed:
		l.failed <- err // for a further Accept
		return nil, err
	}
}

// Close ends the listener, and closes the connections that Accept has not returned.
func (l *Listener) Close() error { return l.close() }

func (l *Listener) acceptAll() {
	for {
		raw, err := l.Listener.Accept()
		switch {
		case err == nil:
			c := l.newConn(raw)
			l.opening.Go(func() { l.open(c) })
		case isExhaustion(err):
			l.count("exhausted")
			l.registry.evict(func(*Conn) bool { return true })
			<-time.After(acceptPause)
		default:
			l.failed <- err
			return
		}
	}
}

// isExhaustion reports whether a later accept may succeed.
func isExhaustion(err error) bool {
	passing := []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}
	return slices.ContainsFunc(passing, func(one error) bool { return errors.Is(err, one) })
}

// newConn registers a connection, which may cost another one its place.
func (l *Listener) newConn(raw net.Conn) *Conn {
	c := &Conn{Conn: raw, raw: raw, listener: l}
	if l.options.TLS != nil {
		c.guard = &guard{Conn: raw, left: handshakeSize}
		c.Conn = tls.Server(c.guard, l.options.TLS)
	}
	if l.registry.add(c) {
		l.count("displaced")
	}
	return c
}

// open waits for the first header and hands the connection over. closeOpening may have missed it.
func (l *Listener) open(c *Conn) {
	select {
	case <-l.closed:
		_ = c.Close()
		return
	default:
	}
	_ = c.raw.SetDeadline(time.Now().Add(FirstHeaderTimeout)) // a closed connection fails the next read
	if err := c.begin(); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.count("slow")
		}
		_ = c.Close()
		return
	}
	_ = c.raw.SetDeadline(time.Time{})
	if l.options.Keyless {
		c.keyShown.Store(true)
	}
	c.open.Store(true)
	select {
	case l.ready <- c:
	case <-l.closed:
		_ = c.Close()
	}
}

func (l *Listener) count(reason string) {
	l.options.Metrics.ConnectionsClosed.WithLabelValues(l.options.Name, reason).Inc()
}

type connKey struct{}

// connContext lets a handler find its connection with FromContext.
func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connState notes whether a call is under way. It closes a connection that becomes idle if a Resize left too many.
func connState(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*Conn)
	if !ok {
		return
	}
	c.serving.Store(state == http.StateActive)
	c.idle.Store(state == http.StateIdle)
	if r := &c.listener.registry; state == http.StateIdle && r.beyond.Load() && r.evictIdle() {
		c.listener.count("displaced")
	}
}

// FromContext returns the connection of a call that came through a Listener, else nil, whose methods do nothing.
func FromContext(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

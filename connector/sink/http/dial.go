package httpsink

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/connector/sink"
)

// maxConnectionAge is how long a connection takes new attempts. Otherwise a busy connection would live for ever: new
// pods of the sink would get nothing, and a new address would never be looked up. It is short compared with an
// autoscaler's pace, and long compared with the cost of dialling.
const maxConnectionAge = 2 * time.Minute

// dialer makes the sink's connections.
type dialer struct {
	net.Dialer
	// timeout bounds the making of a connection, from the look-up of the name to the last handshake, a proxy's
	// included.
	timeout time.Duration
	maxAge  time.Duration
	// places bound the connections of all sinks.
	places *sink.Places
}

func newDialer(timeout time.Duration, places *sink.Places) *dialer {
	return &dialer{timeout: timeout, maxAge: maxConnectionAge, places: places}
}

// connection is a connection of the sink.
type connection struct {
	net.Conn
	// left gives the place of the connection back, once.
	left func()
	// age is how long the connection takes new attempts, counted from the first one.
	age time.Duration
	// retires is when that ends; zero before the first attempt.
	retires time.Time
	// closed is closed when its last attempt has closed it; nil before that begins.
	closed chan struct{}
}

// dial returns a connection with a deadline: the transport goes on with it even after the end of its attempt, sets no
// time-out for SOCKS, and one of a minute for CONNECT.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	deadline := time.Now().Add(d.timeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := d.places.Take(ctx, d.timeout/2); err != nil { // half leaves time to say why
		return nil, err
	}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		d.places.GiveBack()
		return nil, err
	}
	c := &connection{Conn: conn, left: sync.OnceFunc(d.places.GiveBack), age: d.age()}
	if err := c.SetDeadline(deadline); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// Close implements net.Conn.
func (c *connection) Close() error {
	defer c.left()
	return c.Conn.Close()
}

// age is random, between half of maxAge and maxAge, so that connections of the same time end at different times.
func (d *dialer) age() time.Duration {
	return d.maxAge/2 + rand.N(d.maxAge/2) //nolint:gosec // nobody gains by foretelling it
}

// attempt is one post. net/http may give it one connection after another.
type attempt struct {
	header http.Header
	// ends is the connection that ends with this attempt, as net/http knows it; nil if none does. An attempt that
	// already has the same connection waits for closed.
	ends   net.Conn
	closed chan struct{}
}

// begin is called when the attempt has got a connection, before anything is written to it. If the connection retires,
// the attempt asks the sink to close it with the answer. A sink need not heed that, so the attempt closes it at its
// end. Each connection serves at least one attempt, however long its making took.
//
// net/http releases a connection before it hands over the answer, so the next attempt may already have it. That attempt
// waits for the answer to the last one, finds the connection closed, has written nothing, and gets another one.
func (a *attempt) begin(ctx context.Context, got net.Conn) {
	a.end() // the attempt may have lost another connection
	delete(a.header, headerConnection)
	c, ok := underneath(got).(*connection)
	if !ok {
		return
	}
	now := time.Now()
	switch {
	case c.closed != nil:
		select {
		case <-c.closed:
		case <-ctx.Done():
		}
	case c.retires.IsZero():
		c.retires = now.Add(c.age)
		// From here on the attempt's context is what ends it.
		_ = c.SetDeadline(time.Time{}) // it fails only if the connection is closed
	case !now.Before(c.retires):
		a.header[headerConnection] = []string{"close"}
		c.closed = make(chan struct{})
		a.ends, a.closed = got, c.closed
	}
}

// end is called when the attempt has its answer, or will get none.
func (a *attempt) end() {
	if a.ends != nil {
		_ = a.ends.Close() // the sink may have closed it
		close(a.closed)
		a.ends, a.closed = nil, nil
	}
}

// underneath returns what TLS runs on, which is TLS again for an https proxy.
func underneath(conn net.Conn) net.Conn {
	for {
		secured, ok := conn.(*tls.Conn)
		if !ok {
			return conn
		}
		conn = secured.NetConn()
	}
}

package listener

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// However many strangers hold connections, a new caller finds a place, and a verified one keeps its own.
func TestStrangersNeverHoldEveryPlace(t *testing.T) {
	s := serve(t, nil)
	kept := s.dial()
	if status := kept.asks("/verified"); status != 200 {
		t.Fatalf("%d", status)
	}
	var strangers []*caller
	for i := range 10 * limits.Connections {
		strangers = append(strangers, s.dial())
		if i%10 == 0 {
			strangers[i].sends("GET /half")
		}
		if i%40 == 0 {
			if status := s.dial().asks("/key"); status != 200 {
				t.Fatalf("a new caller beside %d strangers: %d", i+1, status)
			}
			if status := kept.asks("/verified"); status != 200 {
				t.Fatalf("a kept caller beside %d strangers: %d", i+1, status)
			}
		}
	}
	for i, stranger := range strangers[:8*limits.Connections] {
		if !stranger.wasClosed() {
			t.Errorf("stranger %d, one of the oldest, is still connected", i)
		}
	}
	poll.Until(t, "their count", func() bool { return s.closed("displaced") >= 9*limits.Connections })
	s.awaitsOpen(showedSignature, 1)
}

// The oldest of the lowest class goes first.
func TestWhoShowedLeastGoesFirst(t *testing.T) {
	s := serve(t, nil)
	verified, keyed := s.dial(), s.dial()
	verified.asks("/verified")
	keyed.asks("/key")
	var strangers []*caller
	for range limits.Connections - 2 {
		strangers = append(strangers, s.dial())
	}
	s.awaitsOpen(showedNothing, len(strangers))
	for _, stranger := range strangers {
		s.dial().asks("/key") // takes the place of the oldest stranger
		if !stranger.wasClosed() {
			t.Fatal("an older stranger is still connected")
		}
	}
	s.awaitsOpen(showedNothing, 0)
	if status := keyed.asks("/key"); status != 200 {
		t.Errorf("the key's connection went before the last stranger: %d", status)
	}
	newest := s.dial()
	if !keyed.wasClosed() {
		t.Error("no stranger is left, and the oldest key's connection stays")
	}
	if status := newest.asks("/"); status != 200 {
		t.Errorf("the newest connection: %d", status)
	}
	if status := verified.asks("/verified"); status != 200 {
		t.Errorf("the verified connection: %d", status)
	}
}

// A caller that has a key and opens many connections does not cut off a new caller that has not shown its own yet.
func TestKeyedConnectionsDoNotCutOffNewcomers(t *testing.T) {
	bounds := limits
	bounds.Connections = 64
	r := &registry{limit: bounds.Connections}
	r.measure(telemetry.New(prometheus.NewRegistry()), "test")
	open := func() *Conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { ours.Close(); theirs.Close() })
		c := &Conn{Conn: ours, raw: ours, listener: &Listener{}}
		r.add(c)
		return c
	}
	for range 2 * bounds.Connections {
		r.raise(open(), showedKey)
	}
	newcomer := open()
	for range bounds.Connections/newcomersShare - 1 {
		open()
	}
	if newcomer.place == nil {
		t.Error("a newcomer was cut off, though older connections have shown no more than a key")
	}
	for range bounds.Connections {
		open()
	}
	if newcomer.place != nil {
		t.Error("a stranger that shows nothing stays for ever")
	}
	if n := r.count(); n > bounds.Connections {
		t.Errorf("%d connections", n)
	}
}

// A connection whose last answer was sent goes before one that may still call.
func TestAnsweredConnectionsGoFirst(t *testing.T) {
	s := serve(t, nil)
	stranger := s.dial()
	s.awaitsOpen(showedNothing, 1)
	refused := s.dial()
	refused.sends("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
	if status, _ := refused.gets(); status != 200 {
		t.Fatalf("%d", status)
	}
	s.awaitsOpen(answered, 1)
	for range limits.Connections - 1 {
		s.dial()
	}
	s.awaitsOpen(answered, 0)
	if status := stranger.asks("/"); status != 200 {
		t.Errorf("an older connection, which may still call: %d", status)
	}
}

// Verified connections are never closed for others, and leave others a share.
func TestVerifiedConnectionsLeaveAShare(t *testing.T) {
	s := serve(t, nil)
	share := limits.Connections - 2
	var callers []*caller
	for range share {
		callers = append(callers, s.dial())
		callers[len(callers)-1].asks("/verified")
	}
	for range 3 * limits.Connections {
		if status := s.dial().asks("/verified"); status != 200 {
			t.Fatalf("a new verified caller: %d", status)
		}
	}
	if n := s.open(showedSignature); n != share {
		t.Errorf("%d verified connections, want %d", n, share)
	}
	for _, c := range callers {
		if status := c.asks("/verified"); status != 200 {
			t.Errorf("a verified connection was cut off: %d", status)
		}
	}
}

// A verified connection for which the share had no room gives way after those that have shown a key alone.
func TestASurplusConnectionOutlivesKeyedOnes(t *testing.T) {
	s := serve(t, nil)
	for range limits.Connections - 2 {
		s.dial().asks("/verified")
	}
	beyond := s.dial()
	beyond.asks("/verified")
	s.awaitsOpen(surplus, 1)
	for range 4 {
		if status := s.dial().asks("/key"); status != 200 {
			t.Fatalf("a caller with a key: %d", status)
		}
	}
	if status := beyond.asks("/verified"); status != 200 {
		t.Errorf("the verified connection beyond the share: %d", status)
	}
	for range 2 {
		s.dial().asks("/verified")
	}
	if !beyond.wasClosed() {
		t.Error("the oldest of the surplus connections holds a newcomer's place")
	}
}

func TestClosedConnectionsLeaveTheirPlaces(t *testing.T) {
	s := serve(t, nil)
	for _, path := range []string{"", "/", "/key", "/verified"} {
		c := s.dial()
		if path != "" {
			c.asks(path)
		}
		c.Close()
	}
	for class := range classes {
		s.awaitsOpen(class, 0)
	}
}

// exhausted fails to accept as long as it has errors.
type exhausted struct {
	net.Listener

	errors chan error
}

func (l exhausted) Accept() (net.Conn, error) {
	select {
	case err := <-l.errors:
		return nil, err
	default:
		return l.Listener.Accept()
	}
}

// Without a descriptor left, the oldest stranger gives one back, and the server goes on.
func TestAcceptGoesOnWhenDescriptorsRunOut(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil)
	errs := make(chan error, 3)
	l := New(exhausted{inner, errs}, Options{Name: "exhausted", Limits: limits, Metrics: s.metrics})
	defer l.Close()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	oldest := dial()
	defer oldest.Close()
	open := s.metrics.Connections.WithLabelValues("exhausted", "nothing")
	poll.Until(t, "the oldest connection", func() bool { return value(open) == 1 })
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		errs <- &net.OpError{Op: "accept", Err: number}
	}
	dial().Close() // ends the accept under way
	if _, err := oldest.Read(make([]byte, 1)); err == nil {
		t.Error("the oldest connection is still open")
	}
	caller := dial()
	defer caller.Close()
	_, _ = caller.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	if _, err := l.Accept(); err != nil {
		t.Errorf("Accept: %v", err)
	}
}

// late accepts a connection while it is closed.
type late struct {
	net.Listener

	conn   chan net.Conn
	closed chan struct{}
}

func (l late) Accept() (net.Conn, error) {
	<-l.closed
	<-time.After(time.Millisecond) // Close has closed what it knew
	select {
	case conn := <-l.conn:
		return conn, nil
	default:
		return nil, net.ErrClosed
	}
}

func (l late) Close() error {
	close(l.closed)
	return nil
}

// A connection that comes while the listener closes does not hold it up.
func TestCloseWaitsForNoLateConnection(t *testing.T) {
	metrics := telemetry.New(prometheus.NewRegistry())
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		inner := late{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		inner.conn <- ours
		l := New(inner, Options{Name: "late", Limits: limits, Metrics: metrics})
		begun := time.Now()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begun); waited >= FirstHeaderTimeout {
			t.Errorf("Close waited %v", waited)
		}
		if _, err := theirs.Read(make([]byte, 1)); err == nil {
			t.Error("the late connection is open")
		}
	})
}

func TestFinalAcceptErrorEndsTheServer(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inner.Close()
	l := New(inner, Options{Name: "closed", Limits: limits, Metrics: serve(t, nil).metrics})
	defer l.Close()
	for range 2 {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
	}
}

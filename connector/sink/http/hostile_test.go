package httpsink

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// rawSink serves each connection by a function that may do what no HTTP server does. The connection is closed when the
// function returns.
type rawSink struct {
	address string
	// open counts the connections that neither side has closed.
	open atomic.Int64
	// accepted counts all of them.
	accepted atomic.Int64
}

func listenRaw(t *testing.T, serve func(conn net.Conn)) *rawSink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawSink{address: listener.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.open.Add(1)
			serving.Go(func() {
				defer s.open.Add(-1)
				defer func() { _ = conn.Close() }()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return s
}

// untilClosed reads until the other side has closed the connection.
func untilClosed(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// readRequest reads a part of a request, its head at least.
func readRequest(conn net.Conn) { _, _ = conn.Read(make([]byte, 64<<10)) }

// trickle writes text again and again until the other side has gone.
func trickle(conn net.Conn, text string) {
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
		<-time.After(time.Millisecond)
	}
}

// after answers a request by a text, and goes on as told.
func after(text string, then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, text)
		then(conn)
	}
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

// TestEveryAttemptEnds: whatever a sink or a proxy does, the attempt ends, says why, and leaves neither a connection
// nor a goroutine behind. The sink itself stays open, as between two attempts of a connector.
func TestEveryAttemptEnds(t *testing.T) {
	const soon, late = 100 * time.Millisecond, time.Hour
	endless := func(text string) func(net.Conn) {
		return func(conn net.Conn) { trickle(conn, text) }
	}
	tests := map[string]struct {
		serve   func(net.Conn)
		timeout time.Duration // of the attempt; late: something else ends it
		scheme  string        // of the sink
		proxy   string        // the scheme of a proxy that is served instead of the sink
		class   string
		reason  string // part of the failure's text
	}{
		"switches protocols, and says nothing": {after(switching, untilClosed), late, "http", "", "status", "HTTP 101"},
		"switches protocols, and never ends":   {after(switching, endless("frame")), late, "http", "", "status", "HTTP 101"},
		"switches protocols after others": {
			after("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"+switching, untilClosed), late, "http", "", "status", "HTTP 101",
		},
		"informational answers, slowly": {after("", endless("HTTP/1.1 102 Processing\r\n\r\n")), soon, "http", "", "timeout", "in time"},
		"informational answers, a flood": {
			after("", endless(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100))), late, "http", "", "protocol", "larger than",
		},
		"headers, slowly": {after("HTTP/1.1 200 OK\r\n", endless("X: y\r\n")), soon, "http", "", "timeout", "in time"},
		"headers, a flood": {
			after("HTTP/1.1 200 OK\r\n", endless(strings.Repeat("X: y\r\n", 1000))), late, "http", "", "protocol", "larger than",
		},
		"one header line without end": {
			after("HTTP/1.1 200 OK\r\nX: ", endless(strings.Repeat("y", 1000))), late, "http", "", "protocol", "larger than",
		},
		"a status line without end": {after("", endless(strings.Repeat("H", 1000))), late, "http", "", "protocol", "larger than"},
		"a body, slowly":            {after("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", endless("y")), late, "http", "", "", ""},
		"a body of chunks, slowly": {
			after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", endless("1\r\ny\r\n")), late, "http", "", "", "",
		},
		"trailers without end": {
			after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", endless("X: y\r\n")), late, "http", "", "", "",
		},
		"a refusal with a body, slowly": {
			after("HTTP/1.1 503 Busy\r\nContent-Length: 99999\r\n\r\n", endless("y")), late, "http", "", "status", "HTTP 503",
		},
		"no answer":                          {untilClosed, soon, "http", "", "timeout", "in time"},
		"no TLS handshake":                   {untilClosed, soon, "https", "", "timeout", "in time"},
		"a TLS handshake, slowly":            {endless("\x16\x03\x03\x40\x00"), soon, "https", "", "timeout", "in time"},
		"a proxy without an answer":          {untilClosed, soon, "https", "http", "timeout", "in time"},
		"a proxy, slowly":                    {after("HTTP/1.1 200 OK\r\n", endless("X: y\r\n")), soon, "https", "http", "timeout", "in time"},
		"a proxy with informational answers": {after("", endless("HTTP/1.1 102 Processing\r\n\r\n")), late, "https", "http", "proxy", "HTTP 102"},
		"a proxy that switches protocols":    {after(switching, untilClosed), late, "https", "http", "proxy", "HTTP 101"},
		"a proxy to nowhere":                 {after("HTTP/1.1 200 OK\r\n\r\n", untilClosed), soon, "https", "http", "timeout", "in time"},
		"a TLS proxy without a handshake":    {untilClosed, soon, "https", "https", "timeout", "in time"},
		"a SOCKS proxy without an answer":    {untilClosed, soon, "http", "socks5", "timeout", "in time"},
		"a SOCKS proxy, halfway":             {after("\x05\x00", untilClosed), soon, "https", "socks5h", "timeout", "in time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			raw := listenRaw(t, tt.serve)
			c := Settings{URL: tt.scheme + "://" + raw.address + "/?token=abc", Timeout: config.Duration(tt.timeout)}
			if tt.proxy != "" {
				c.URL, c.Proxy = tt.scheme+"://sink.invalid/?token=abc", tt.proxy+"://"+raw.address
			}
			s := newSink(t, c)
			err := s.Send(t.Context(), exampleEvent(t))
			expectClass(t, err, tt.class)
			if err != nil && !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got %q, want it to say %q", err, tt.reason)
			}
			poll.Until(t, "the connection, without which this shows nothing", func() bool { return raw.accepted.Load() > 0 })
			poll.Until(t, "the connection's end", func() bool { return raw.open.Load() == 0 })
		})
	}
}

// TestSendGivesUpOnASinkThatDoesNotRead: also the sending of an event is bounded.
func TestSendGivesUpOnASinkThatDoesNotRead(t *testing.T) {
	gaveUp := make(chan struct{})
	raw := listenRaw(t, func(conn net.Conn) {
		<-gaveUp
		untilClosed(conn)
	})
	s := newSink(t, Settings{URL: "http://" + raw.address, Timeout: config.Duration(100 * time.Millisecond)})
	e := exampleEvent(t)
	e.Body = make([]byte, 8<<20) // more than the buffers of two sockets
	expectClass(t, s.Send(t.Context(), e), "timeout")
	close(gaveUp)
	poll.Until(t, "the connection's end", func() bool { return raw.open.Load() == 0 })
}

// TestSlowBodiesDoNotWasteConnections: an answer whose body comes at once leaves a connection for the next event.
func TestSlowBodiesDoNotWasteConnections(t *testing.T) {
	server, made := countConnections(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("thanks ", 1000))
	})
	s := newSink(t, Settings{URL: server.URL})
	for range 20 {
		expectClass(t, s.Send(t.Context(), event.Event{Body: []byte("{}")}), "")
	}
	if made.Load() != 1 {
		t.Errorf("%d connections for 20 events in turn", made.Load())
	}
}

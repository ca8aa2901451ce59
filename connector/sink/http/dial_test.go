package httpsink

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/dns/dnsmessage"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// nameServer answers every question by one address, which may change.
type nameServer struct {
	address atomic.Pointer[netip.Addr]
	*net.Resolver
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{}
	s.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
	var serving sync.WaitGroup
	serving.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := s.answer(t, buffer[:n]); answer != nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() {
		_ = socket.Close()
		serving.Wait()
	})
	return s
}

func (s *nameServer) answer(t *testing.T, question []byte) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil || len(m.Questions) != 1 {
		t.Errorf("no question: %v", err)
		return nil
	}
	m.Response, m.Additionals = true, nil
	if m.Questions[0].Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: s.address.Load().As4()},
		}}
	}
	packed, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return packed
}

// moves serves a sink at two addresses of this machine under one port, and counts the requests that come to each.
type moves struct {
	port  string
	first atomic.Int64
	then  atomic.Int64
}

func listenTwice(t *testing.T, first, then string) *moves {
	t.Helper()
	m := &moves{}
	serve := func(address string, count *atomic.Int64) (port string) {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { count.Add(1) })}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(func() { _ = server.Close() })
		_, port, _ = net.SplitHostPort(listener.Addr().String())
		return port
	}
	m.port = serve(first+":0", &m.first)
	serve(then+":"+m.port, &m.then)
	return m
}

// aging makes the connections of s as old as maxAge only.
func aging(s *Sink, maxAge time.Duration, names *net.Resolver) {
	d := newDialer(s.timeout, nil)
	d.maxAge, d.Resolver = maxAge, names
	s.dialer, s.transport.DialContext = d, d.dial
}

// TestBusyConnectionsFollowTheName: a sink's address moves, its old one still answers, and events come without a pause:
// all of them arrive at the new one before long.
func TestBusyConnectionsFollowTheName(t *testing.T) {
	const old, next = "127.0.0.1", "127.0.0.2"
	names := newNameServer(t)
	names.address.Store(new(netip.MustParseAddr(old)))
	server := listenTwice(t, old, next)
	s := newSink(t, Settings{URL: "http://bot.example:" + server.port})
	aging(s, 20*time.Millisecond, names.Resolver)

	send := func() { expectClass(t, s.Send(t.Context(), exampleEvent(t)), "") }
	for range 10 {
		send()
	}
	if server.first.Load() != 10 || server.then.Load() != 0 {
		t.Fatalf("%d at the old address, %d at the new one", server.first.Load(), server.then.Load())
	}
	names.address.Store(new(netip.MustParseAddr(next)))
	poll.Until(t, "events at the new address", func() bool { send(); return server.then.Load() > 0 })
	settled := server.first.Load()
	for range 50 {
		send()
	}
	if server.first.Load() != settled {
		t.Errorf("%d more events came to the old address", server.first.Load()-settled)
	}
}

// TestRetiringConnectionsLoseNothing: connections retire all the time under many attempts at once; each event is taken
// by its first attempt, and comes once.
func TestRetiringConnectionsLoseNothing(t *testing.T) {
	var seen sync.Map
	var twice, connections atomic.Int64
	handler := func(_ http.ResponseWriter, r *http.Request) {
		if _, again := seen.LoadOrStore(r.Header.Get(headerID), true); again {
			twice.Add(1)
		}
	}
	plain, made := countConnections(t, handler)
	secured := listenTLS(t, 0, func(s *http.Server) {
		s.Handler = http.HandlerFunc(handler)
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
	})
	for name, tt := range map[string]struct {
		c    Settings
		made *atomic.Int64
	}{
		"http":  {Settings{URL: plain.URL}, made},
		"https": {load(t, secured.URL, "caFile: "+secured.certFile), &connections},
	} {
		t.Run(name, func(t *testing.T) {
			const lanes, events = 4, 60
			s := newSink(t, tt.c)
			aging(s, 4*time.Millisecond, nil)
			sendAll(t, s, lanes, events, byte(len(name)))
			t.Logf("%d connections for %d events", tt.made.Load(), lanes*events)
			if tt.made.Load() <= lanes {
				t.Error("no connection has retired: this shows nothing")
			}
			if twice.Load() != 0 {
				t.Errorf("%d events came twice", twice.Load())
			}
			s.Close()
		})
	}
}

// stubborn answers all requests of a connection, and keeps it open, whatever they ask for. It fails the test if a
// request comes on a connection that was asked to close before.
func stubborn(t *testing.T, take func(*http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		for asked := false; err == nil; r, err = http.ReadRequest(buffered.Reader) {
			if asked {
				t.Error("an attempt came on a connection that was asked to close")
			}
			asked = r.Close
			_, _ = io.Copy(io.Discard, r.Body)
			take(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+answerOf(r))
		}
	}
}

// answerOf is an answer's length and body, for every other event no body: net/http releases the connection before it
// hands over the one, and after it the other.
func answerOf(r *http.Request) string {
	if id := r.Header.Get(headerID); id[3]%2 == 0 {
		return "0\r\n\r\n"
	}
	return "2\r\n\r\nok"
}

// TestStubbornSinksLoseTheirConnections: a sink that leaves connections open when asked to close them gets no more
// attempts on them; they are closed, also those that no attempt follows, and each event is taken by its first attempt,
// once.
func TestStubbornSinksLoseTheirConnections(t *testing.T) {
	var taken sync.Map
	var events atomic.Int64
	handler := stubborn(t, func(r *http.Request) {
		events.Add(1)
		if _, again := taken.LoadOrStore(r.Header.Get(headerID), true); again {
			t.Error("an event came twice")
		}
	})
	plain := listen(t, handler)
	secured := listenTLS(t, 0, func(s *http.Server) { s.Handler = handler })
	for name, c := range map[string]Settings{
		"http":  {URL: plain.URL},
		"https": load(t, secured.URL, "caFile: "+secured.certFile),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSink(t, c)
			aging(s, 4*time.Millisecond, nil)
			s.dialer.places = sink.NewPlaces(100, prometheus.NewGauge(prometheus.GaugeOpts{Name: "open", Help: "Connections."}))
			events.Store(0)
			const lanes, each = 4, 100
			sendAll(t, s, lanes, each, byte(len(name)))
			if events.Load() != lanes*each {
				t.Errorf("%d events came, want %d", events.Load(), lanes*each)
			}
			expectAllClose(t, s, byte(len(name)))
		})
	}
}

// expectAllClose sends until all connections have had their last attempt, and expects that none is open then.
func expectAllClose(t *testing.T, s *Sink, mark byte) {
	t.Helper()
	e := exampleEvent(t)
	e.ID[2] = mark
	var n uint32
	poll.Until(t, "no open connections", func() bool {
		n++
		binary.BigEndian.PutUint32(e.ID[8:], n)
		expectClass(t, s.Send(t.Context(), e), "")
		return s.dialer.places.Taken() == 0
	})
}

// sendAll sends different events in several lanes at once; each must be taken by its first attempt.
func sendAll(t *testing.T, s *Sink, lanes, each int, mark byte) {
	t.Helper()
	var sending sync.WaitGroup
	for lane := range lanes {
		sending.Go(func() {
			for n := range each {
				e := exampleEvent(t)
				e.ID = event.ID{byte(lane), byte(n), mark}
				if err := s.Send(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
}

// TestAgesDiffer: connections made together do not retire together, and none lives longer than it may.
func TestAgesDiffer(t *testing.T) {
	d := newDialer(time.Second, nil)
	ages := map[time.Duration]bool{}
	for range 100 {
		age := d.age()
		if age < maxConnectionAge/2 || age > maxConnectionAge {
			t.Fatalf("an age of %v", age)
		}
		ages[age] = true
	}
	if len(ages) < 50 {
		t.Errorf("%d ages of 100 connections", len(ages))
	}
}

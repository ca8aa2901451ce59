package httpsink

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/test/poll"
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

// moves serves a sink at two addresses of this machine under one port, and
// counts the requests that come to each.
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
	d := newDialer(s.timeout)
	d.maxAge, d.Resolver = maxAge, names
	s.transport.DialContext = d.dial
}

// TestBusyConnectionsFollowTheName: a sink's address moves, its old one still
// answers, and events come without a pause: all of them arrive at the new one
// before long.
func TestBusyConnectionsFollowTheName(t *testing.T) {
	const old, next = "127.0.0.1", "127.0.0.2"
	names := newNameServer(t)
	names.address.Store(new(netip.MustParseAddr(old)))
	server := listenTwice(t, old, next)
	s := newSink(t, config.HTTPSink{URL: "http://bot.example:" + server.port})
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

// TestRetiringConnectionsLoseNothing: connections retire all the time under
// many attempts at once; each event is taken by its first attempt, and comes
// once.
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
		c    config.HTTPSink
		made *atomic.Int64
	}{
		"http":  {config.HTTPSink{URL: plain.URL}, made},
		"https": {load(t, secured.URL, "caFile: "+secured.certFile), &connections},
	} {
		t.Run(name, func(t *testing.T) {
			const lanes, events = 4, 60
			s := newSink(t, tt.c)
			aging(s, 4*time.Millisecond, nil)
			var sending sync.WaitGroup
			for lane := range lanes {
				sending.Go(func() {
					for n := range events {
						e := exampleEvent(t)
						e.ID = event.ID{byte(lane), byte(n), byte(len(name))}
						if err := s.Send(t.Context(), e); err != nil {
							t.Error(err)
						}
					}
				})
			}
			sending.Wait()
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

// TestAgesDiffer: connections made together do not retire together, and none
// lives longer than it may.
func TestAgesDiffer(t *testing.T) {
	d := newDialer(time.Second)
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

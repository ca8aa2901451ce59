package listener

import (
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// resizable is a served Listener of the test's own handler.
func resizable(t *testing.T, handler http.HandlerFunc) (*served, *Listener) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, address: inner.Addr().String(), metrics: telemetry.New(prometheus.NewRegistry())}
	l := New(inner, Options{Name: "test", Limits: limits, Metrics: s.metrics})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: FirstHeaderTimeout}
	done := make(chan error)
	go func() { done <- l.Serve(server) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l
}

func (s *served) limit() int { return value(s.metrics.ConnectionsLimit.WithLabelValues("test")) }

// The oldest of the lowest class goes when the number of connections falls, and the verified ones that are left have no
// more than their share.
func TestResizeClosesWhoShowedLeast(t *testing.T) {
	s, l := resizable(t, answer)
	var verified, keyed, strangers []*caller
	for range 8 {
		verified = append(verified, s.dial())
		verified[len(verified)-1].asks("/verified")
	}
	for range 3 {
		keyed = append(keyed, s.dial())
		keyed[len(keyed)-1].asks("/key")
	}
	for i := range 5 {
		strangers = append(strangers, s.dial())
		s.awaitsOpen(showedNothing, i+1)
	}
	l.Resize(10)
	s.awaitsOpen(showedNothing, 1) // a newcomer is spared
	s.awaitsOpen(showedKey, 1)
	for _, gone := range append(strangers[:4], keyed[:2]...) {
		if !gone.wasClosed() {
			t.Error("one of the oldest is still connected")
		}
	}
	if n := s.limit(); n != 10 || s.closed("displaced") != 6 {
		t.Errorf("the limit is %d, and %d connections were closed", n, s.closed("displaced"))
	}
	l.Resize(6)
	s.awaitsOpen(showedSignature, 4)
	s.awaitsOpen(surplus, 2)
	for _, gone := range verified[:2] {
		if !gone.wasClosed() {
			t.Error("one of the oldest without a share is still connected")
		}
	}
	for _, kept := range verified[2:] {
		if status := kept.asks("/verified"); status != 200 {
			t.Errorf("a verified connection that there is room for: %d", status)
		}
	}
	l.Resize(16)
	for range 12 {
		if status := s.dial().asks("/verified"); status != 200 {
			t.Errorf("after the limit rose: %d", status)
		}
	}
	s.awaitsOpen(showedSignature, 14)
}

// A call under way is answered, whatever its connection has shown, and the connection goes then.
func TestResizeInterruptsNoCall(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s, l := resizable(t, func(w http.ResponseWriter, call *http.Request) {
		entered <- struct{}{}
		<-leave
		answer(w, call)
	})
	var callers []*caller
	for range limits.Connections {
		callers = append(callers, s.dial())
		callers[len(callers)-1].sends("GET /key HTTP/1.1\r\nHost: h\r\n\r\n")
		<-entered
	}
	l.Resize(4)
	if n := s.closed("displaced"); n != 0 {
		t.Errorf("%d connections with a call under way were closed", n)
	}
	close(leave)
	for i, c := range callers {
		if status, _ := c.gets(); status != 200 {
			t.Errorf("call %d: %d", i, status)
		}
	}
	s.awaitsOpen(showedKey, 4)
	poll.Until(t, "each closed connection to be counted", func() bool { return s.closed("displaced") >= limits.Connections-4 })
	if n := s.closed("displaced"); n != limits.Connections-4 {
		t.Errorf("%d connections were closed", n)
	}
}

// Callers come and go while the limit changes all the time; none finds the server shut for long, and the limit holds in
// the end.
func TestResizeUnderLoad(t *testing.T) {
	s, l := resizable(t, answer)
	stop := make(chan struct{})
	var calling sync.WaitGroup
	for range 8 {
		calling.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, path := range []string{"/", "/key", "/verified"} {
					c := s.dial()
					c.asks(path) // it may be the one that has to go
					_ = c.Close()
				}
			}
		})
	}
	for i := range 300 {
		l.Resize(4 + i%29)
	}
	close(stop)
	calling.Wait()
	l.Resize(4)
	poll.Until(t, "the connections that are left", func() bool {
		open := 0
		for class := range classes {
			open += s.open(class)
		}
		return open <= 4
	})
	if status := s.dial().asks("/verified"); status != 200 {
		t.Errorf("a caller in the end: %d", status)
	}
}

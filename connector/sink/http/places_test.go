package httpsink

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// sharing makes sinks of their own at url that share places.
func sharing(t *testing.T, url string, n int, timeout time.Duration, places *sink.Places) []*Sink {
	t.Helper()
	sinks := make([]*Sink, n)
	for i := range sinks {
		s, err := New(Settings{URL: url, Timeout: config.Duration(timeout)}, sink.Environment{Concurrency: 64, Places: places}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		sinks[i] = s
	}
	return sinks
}

// Each sink keeps connections for reuse, and a thousand channels would take every descriptor of the process.
func TestConnectionsOfAllSinksAreBounded(t *testing.T) {
	const bound = 10
	var open, most atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		for now := open.Load(); ; {
			seen := most.Load()
			if now <= seen || most.CompareAndSwap(seen, now) {
				return
			}
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	server.Start()
	defer server.Close()
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "open", Help: "Open connections."})
	places := sink.NewPlaces(bound, gauge)
	var sending sync.WaitGroup
	for _, s := range sharing(t, server.URL, 5*bound, patience, places) {
		sending.Go(func() {
			for range 3 {
				if err := s.Send(t.Context(), event.Event{}); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	sending.Wait()
	// The server learns of an end a little later.
	if n := most.Load(); n == 0 || n > 2*bound {
		t.Errorf("%d connections at once", n)
	}
	if n := places.Taken(); n > bound {
		t.Errorf("%d places taken", n)
	}
}

// When every place is busy, an attempt fails with the true reason, and places come back.
func TestNoPlaceForAConnection(t *testing.T) {
	hold := make(chan struct{})
	entered := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-hold
	}))
	defer server.Close()
	places := sink.NewPlaces(1, prometheus.NewGauge(prometheus.GaugeOpts{Name: "open", Help: "Open connections."}))
	busy := sharing(t, server.URL, 1, patience, places)[0]
	done := make(chan error, 1)
	go func() { done <- busy.Send(t.Context(), event.Event{}) }()
	<-entered
	err := sharing(t, server.URL, 1, 100*time.Millisecond, places)[0].Send(t.Context(), event.Event{})
	if failed, ok := errors.AsType[*sink.Failed](err); !ok || failed.Class != "connection" ||
		!strings.Contains(failed.Reason, "limit on open files") {
		t.Errorf("Send: %v", err)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Errorf("the busy one: %v", err)
	}
	busy.Close()
	poll.Until(t, "the place given back", func() bool { return places.Taken() == 0 })
}

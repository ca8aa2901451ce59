package httpsink

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

// TestSendDoesNotWaitForBodies: the status has decided, so neither an endless body nor one that stalls holds the
// conversation up.
func TestSendDoesNotWaitForBodies(t *testing.T) {
	tests := map[string]func(w http.ResponseWriter, r *http.Request){
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		},
		"stalled": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSink(t, Settings{URL: listen(t, answer).URL, Timeout: config.Duration(time.Hour)})
			expectClass(t, s.Send(t.Context(), exampleEvent(t)), "")
		})
	}
}

// countConnections starts a server that counts the connections made to it.
func countConnections(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var made atomic.Int64
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server, &made
}

func TestSendReusesConnections(t *testing.T) {
	server, made := countConnections(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, strings.Repeat("busy ", 1000))
	})
	s := newSink(t, Settings{URL: server.URL})
	const lanes = 4 // fewer than the concurrency that newSink states
	for range 20 {
		var sends sync.WaitGroup
		for range lanes {
			sends.Go(func() { _ = s.Send(t.Context(), exampleEvent(t)) })
		}
		sends.Wait()
	}
	// A lane that found no idle connection may have dialled while another was about to free one, so the bound is the
	// concurrency and not the lanes.
	if n := made.Load(); n > 8 {
		t.Errorf("%d connections for 80 sends of 4 lanes", n)
	}
}

// TestSendSurvivesClosedIdleConnections: a sink that closed its idle connections, for example because it restarted,
// costs no failed attempt.
func TestSendSurvivesClosedIdleConnections(t *testing.T) {
	server, made := countConnections(t, func(http.ResponseWriter, *http.Request) {})
	s := newSink(t, Settings{URL: server.URL})
	for range 20 {
		expectClass(t, s.Send(t.Context(), exampleEvent(t)), "")
		server.CloseClientConnections()
	}
	if made.Load() < 2 {
		t.Error("the server closed no connection: this test proves nothing")
	}
}

// TestCloseDuringSend: a reload closes the old sink while its last sends are under way; they finish, and their
// connections do not linger.
func TestCloseDuringSend(t *testing.T) {
	arrived, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	defer server.Close()
	s, err := New(Settings{URL: server.URL, Timeout: config.Duration(patience)}, sink.Environment{Concurrency: 8}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { sent <- s.Send(t.Context(), exampleEvent(t)) }()
	<-arrived
	s.Close()
	close(release)
	expectClass(t, <-sent, "")
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the connection stays open")
	}
}

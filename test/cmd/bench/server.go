package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// serverSettings are the differences between a bare server and the baseline.
type serverSettings struct {
	// Status is the answer's status code.
	Status int
	// Record notes when each event arrived.
	Record bool
}

// server is the baseline and the sink: it reads the body and answers the connector's JSON, and nothing else.
type server struct {
	settings serverSettings
	received atomic.Int64

	mu       sync.Mutex
	arrivals map[int]int64
}

var accepted = []byte(`{"status":"0","message":"accepted"}`)

// runServer is the server process.
func runServer(settings serverSettings, answer func(any) error, dismissed <-chan struct{}) error {
	return serve(&server{settings: settings, arrivals: map[int]int64{}}, answer, dismissed)
}

// serve answers with its address and serves until it is dismissed.
func serve(handler http.Handler, answer func(any) error, dismissed <-chan struct{}) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, handler) }() // ends with the process
	if err := answer(listener.Addr().String()); err != nil {
		return err
	}
	<-dismissed
	return nil
}

// ServeHTTP takes an event. GET reports the events taken so far.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		s.tell(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if s.settings.Record {
		s.record(body)
	}
	s.received.Add(1)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.settings.Status)
	_, _ = w.Write(accepted)
}

func (s *server) record(body []byte) {
	now := time.Now().UnixNano()
	i, err := sequence(body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.arrivals[i]; !again {
		s.arrivals[i] = now
	}
}

// received is a server's report.
type received struct {
	Count int64
	// Arrivals is when each event arrived first, in nanoseconds since the epoch, by number.
	Arrivals map[int]int64
}

func (s *server) tell(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := json.NewEncoder(w).Encode(received{Count: s.received.Load(), Arrivals: s.arrivals})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bare server:", err)
	}
}

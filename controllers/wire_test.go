package controllers_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// errCut is what requests over a cut wire end with.
var errCut = errors.New("the wire was cut")

// wire is between an operator and the API server. It counts what passes, and specs can put a fault into it.
type wire struct {
	// requests are all but those for events, which are sent whenever their recorder gets to it; writes are those that
	// could change a resource or a child.
	requests, writes atomic.Int64

	mu    sync.Mutex
	log   []string
	fault fault
}

// fault does with a request what it likes.
type fault func(req *http.Request, next http.RoundTripper) (*http.Response, error)

// roundTripper is a function that passes requests on.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// wrap is called for each of an operator's clients.
func (w *wire) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) { return w.pass(req, next) })
}

func (w *wire) pass(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	if !strings.Contains(req.URL.Path, "/events") {
		w.requests.Add(1)
	}
	w.mu.Lock()
	fault := w.fault
	w.mu.Unlock()
	if fault == nil {
		fault = func(req *http.Request, next http.RoundTripper) (*http.Response, error) { return next.RoundTrip(req) }
	}
	return fault(req, roundTripper(func(req *http.Request) (*http.Response, error) {
		if isWrite(req) {
			w.writes.Add(1)
			w.mu.Lock()
			w.log = append(w.log, req.Method+" "+req.URL.Path)
			w.mu.Unlock()
		}
		return next.RoundTrip(req)
	}))
}

// isWrite leaves out events and Leases: they say what happened and who leads, and are no part of any resource's state.
func isWrite(req *http.Request) bool {
	return req.Method != http.MethodGet && !strings.Contains(req.URL.Path, "/events") && !strings.Contains(req.URL.Path, "/leases")
}

// inject puts a fault into the wire; nil mends it.
func (w *wire) inject(f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// written returns the writes so far, for messages.
func (w *wire) written() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}

// cutAfter lets some writes pass and no more, as when the operator is killed between two. cut tells whether it came to
// that.
func cutAfter(writes int) (f fault, cut func() bool) {
	var left atomic.Int64
	left.Store(int64(writes))
	f = func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isWrite(req) && left.Add(-1) < 0 {
			return nil, errCut
		}
		return next.RoundTrip(req)
	}
	return f, func() bool { return left.Load() < 0 }
}

// hold keeps a request from the API server until it is released.
type hold struct {
	fault fault
	// begun is closed when a request is held.
	begun, release chan struct{}
}

// holdFirst holds the first request that matches.
func holdFirst(match func(*http.Request) bool) *hold {
	h := &hold{begun: make(chan struct{}), release: make(chan struct{})}
	var once sync.Once
	h.fault = func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if match(req) {
			once.Do(func() {
				close(h.begun)
				select {
				case <-h.release:
				case <-req.Context().Done():
				}
			})
		}
		return next.RoundTrip(req)
	}
	return h
}

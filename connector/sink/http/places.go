package httpsink

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// placesPoll is how often a dial that found no place closes idle connections
// again: attempts end, and what they leave is idle.
const placesPoll = 50 * time.Millisecond

// Places bound the connections to all sinks of a process, busy and idle: each
// sink keeps some for reuse, and a thousand of them would take every descriptor.
type Places struct {
	taken chan struct{}
	open  prometheus.Gauge

	mu      sync.Mutex
	sharing map[*http.Transport]struct{}
}

// NewPlaces makes n places. The gauge is told how many are taken.
func NewPlaces(n int, open prometheus.Gauge) *Places {
	return &Places{taken: make(chan struct{}, n), open: open, sharing: make(map[*http.Transport]struct{})}
}

// Share makes the sink's connections take places of p until Close; to be called
// before its first Send. Without it they are not bounded together.
func (s *Sink) Share(p *Places) {
	s.places, s.dialer.places = p, p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sharing[s.transport] = struct{}{}
}

func (p *Places) leave(t *http.Transport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sharing, t)
}

// noPlaceError says that the process has all the connections that it may have.
type noPlaceError struct{ places int }

func (e *noPlaceError) Error() string {
	return fmt.Sprintf("this process already has the %d connections to sinks that its limit on open files allows: raise the limit (ulimit -n)", e.places)
}

// take takes a place for a connection. If there is none, idle connections have to
// go; it waits for one at most so long.
func (p *Places) take(ctx context.Context, atMost time.Duration) error {
	if p == nil || p.tryTake() {
		return nil
	}
	late := time.After(atMost)
	again := time.NewTicker(placesPoll)
	defer again.Stop()
	for {
		p.closeIdle()
		select {
		case p.taken <- struct{}{}:
			p.open.Inc()
			return nil
		case <-again.C:
		case <-late:
			return &noPlaceError{cap(p.taken)}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *Places) tryTake() bool {
	select {
	case p.taken <- struct{}{}:
		p.open.Inc()
		return true
	default:
		return false
	}
}

// giveBack ends a connection's place.
func (p *Places) giveBack() {
	if p != nil {
		<-p.taken
		p.open.Dec()
	}
}

// closeIdle closes the idle connections of one sink after the other, in no
// order, until there is a place.
func (p *Places) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.sharing {
		if len(p.taken) < cap(p.taken) {
			return
		}
		t.CloseIdleConnections()
	}
}

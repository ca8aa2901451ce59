package sink

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// placesPoll is how often a waiting Take closes idle connections: attempts end and leave idle ones.
const placesPoll = 50 * time.Millisecond

// Places bound the busy and idle connections to all sinks of a process: each sink keeps some for reuse, and a thousand
// sinks would take every descriptor. Nil bounds nothing.
type Places struct {
	taken chan struct{}
	open  prometheus.Gauge

	mu      sync.Mutex
	sharing map[Idler]struct{}
}

// Idler keeps idle connections, as *http.Transport does.
type Idler interface{ CloseIdleConnections() }

// NewPlaces makes n places. The gauge counts the taken ones.
func NewPlaces(n int, open prometheus.Gauge) *Places {
	return &Places{taken: make(chan struct{}, n), open: open, sharing: make(map[Idler]struct{})}
}

// Join lets Places close idle connections of i when places are wanted, until Leave.
func (p *Places) Join(i Idler) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sharing[i] = struct{}{}
	}
}

// Leave ends Join.
func (p *Places) Leave(i Idler) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.sharing, i)
	}
}

// NoPlaceError says that the process has reached its limit of connections.
type NoPlaceError struct{ places int }

// Error names the limit and the remedy.
func (e *NoPlaceError) Error() string {
	return fmt.Sprintf("this process already has the %d connections to sinks that its limit on open files allows: raise the limit (ulimit -n)",
		e.places)
}

// Take takes a place for a connection. If none is free it closes idle connections and waits, for atMost, and then
// returns *NoPlaceError.
func (p *Places) Take(ctx context.Context, atMost time.Duration) error {
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
			return &NoPlaceError{cap(p.taken)}
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

// GiveBack frees the place of a closed connection.
func (p *Places) GiveBack() {
	if p != nil {
		<-p.taken
		p.open.Dec()
	}
}

// Taken is how many places are taken.
func (p *Places) Taken() int { return len(p.taken) }

// closeIdle closes the idle connections of the sinks, one sink at a time, until a place is free.
func (p *Places) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.sharing {
		if p.Taken() < cap(p.taken) {
			return
		}
		i.CloseIdleConnections()
	}
}

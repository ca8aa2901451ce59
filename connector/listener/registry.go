package listener

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// class is a connection's rank by the proofs it has shown.
type class int

const (
	answered class = iota // the last answer was sent, and net/http only waits for the caller to close
	// showedNothing: no key yet.
	showedNothing
	// showedKey: a call with a right API key.
	showedKey
	// surplus: a call whose event was new and verified, when verified connections had their whole share.
	surplus
	// showedSignature: a call whose event was new and verified. Never cut off, unless a resize makes it a surplus one.
	showedSignature
	classes
)

// classNames are the values of the metric label "class".
var classNames = [classes]string{"answered", "nothing", "key", "surplus", "verified"}

// unverifiedShare is the part of the places that verified connections leave to the others: a new caller finds one.
const unverifiedShare = 8

// newcomersShare is the part of the places in which connections that have shown nothing yet are spared while an older
// one has shown a key: many connections of one key must not cut off those that are about to show theirs.
const newcomersShare = 16

// registry holds the open connections by class, in each the one that has been there longest first.
type registry struct {
	mu      sync.Mutex
	limit   int
	members [classes]list.List // of *Conn
	gauges  [classes]prometheus.Gauge
	bound   prometheus.Gauge
	// beyond reports whether a resize has left more connections than the limit, whose calls were under way.
	beyond atomic.Bool
}

func (r *registry) measure(metrics *telemetry.Metrics, name string) {
	r.bound = metrics.ConnectionsLimit.WithLabelValues(name)
	r.bound.Set(float64(r.limit))
	for i := range r.gauges {
		r.gauges[i] = metrics.Connections.WithLabelValues(name, classNames[i])
	}
}

// add registers a new connection. It reports whether another one had to go.
func (r *registry) add(c *Conn) bool {
	r.mu.Lock()
	r.enter(c, showedNothing)
	full := r.count() > r.limit
	r.mu.Unlock()
	return full && r.evict(func(other *Conn) bool { return other != c })
}

// evict closes the first connection that may be closed and fits. It reports whether there was one.
func (r *registry) evict(fits func(*Conn) bool) bool {
	r.mu.Lock()
	c := r.first(fits)
	if c != nil {
		r.leave(c)
	}
	r.beyond.Store(r.count() > r.limit)
	r.mu.Unlock()
	if c != nil {
		_ = c.raw.Close() // the end of a TLS connection would wait for its peer
	}
	return c != nil
}

// first returns the oldest fitting connection of the lowest class, nil if there is none. It is never a verified one.
func (r *registry) first(fits func(*Conn) bool) *Conn {
	for _, members := range r.unprotected() {
		for e := members.Front(); e != nil; e = e.Next() {
			if c := e.Value.(*Conn); fits(c) { //nolint:forcetypeassert // the lists hold nothing else
				return c
			}
		}
	}
	return nil
}

// unprotected are the connections that may be closed, in that order.
func (r *registry) unprotected() []*list.List {
	lowest, next := &r.members[showedNothing], &r.members[showedKey]
	if lowest.Len() <= max(1, r.limit/newcomersShare) {
		lowest, next = next, lowest
	}
	return []*list.List{&r.members[answered], lowest, next, &r.members[surplus]}
}

// resize changes the limit. The verified connections that the new one has no share for become surplus ones.
func (r *registry) resize(limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = limit
	r.bound.Set(float64(limit))
	for verified := &r.members[showedSignature]; verified.Len() > r.verifiedShare(); {
		c := verified.Front().Value.(*Conn) //nolint:forcetypeassert // the list holds nothing else
		r.leave(c)
		r.enter(c, surplus)
	}
	r.beyond.Store(r.count() > limit)
}

// evictIdle is evict of a connection without a call that is being read or served, if there are more than the limit.
func (r *registry) evictIdle() bool {
	return r.evict(func(c *Conn) bool { return r.count() > r.limit && (!c.open.Load() || c.idle.Load()) })
}

// verifiedShare is how many connections may be verified ones.
func (r *registry) verifiedShare() int { return r.limit - max(2, r.limit/unverifiedShare) }

// raise moves a connection up to a class. A verified one beyond the share of the verified becomes a surplus one.
func (r *registry) raise(c *Conn, to class) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if to == showedSignature && r.members[to].Len() >= r.verifiedShare() {
		to = surplus
	}
	if c.place != nil && c.class < to {
		r.leave(c)
		r.enter(c, to)
	}
}

// lower moves a connection to those that are closed first.
func (r *registry) lower(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.place != nil {
		r.leave(c)
		r.enter(c, answered)
	}
}

func (r *registry) remove(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.place != nil {
		r.leave(c)
	}
}

// closeOpening closes the connections that are not handed over.
func (r *registry) closeOpening() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for e := r.members[showedNothing].Front(); e != nil; e = e.Next() {
		if c := e.Value.(*Conn); !c.open.Load() { //nolint:forcetypeassert // the list holds nothing else
			_ = c.raw.Close()
		}
	}
}

func (r *registry) enter(c *Conn, to class) {
	c.class, c.place = to, r.members[to].PushBack(c)
	r.gauges[to].Inc()
}

func (r *registry) leave(c *Conn) {
	r.members[c.class].Remove(c.place)
	c.place = nil
	r.gauges[c.class].Dec()
}

func (r *registry) count() (n int) {
	for i := range r.members {
		n += r.members[i].Len()
	}
	return n
}

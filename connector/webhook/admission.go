package webhook

import (
	"container/list"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// resource is one of the things that the calls in flight share.
type resource int

const (
	// place is one for each call.
	place resource = iota
	// memory is that of the bodies, in bytes.
	memory

	resources
)

// leaveFor bounds how a channel shares with the others: it takes at most this many times what it leaves free, 8/9 of
// everything if it alone is called. The others then have a ninth until calls of the first one end, which takes the
// AnswerIn of its type at most.
const leaveFor = 8

// admission bounds what the calls in flight take together. A caller with an API key costs next to nothing, since keys
// ride in URLs and leak: so a call is charged for what has arrived of its body, and a call whose body has not arrived
// gives way. If a call finds no room, the one that has waited longest for its body is cut off, of the channel that
// takes the most; never a newer one, because a platform sends a call's body along with its header.
type admission struct {
	mu       sync.Mutex
	capacity [resources]int64
	taken    [resources]int64
	// shares are those that take anything.
	shares map[*share]bool
	// buffered shows the memory taken, and bound how much there is.
	buffered, bound prometheus.Gauge
}

// share is what the calls of one channel take together. Its admission guards it.
type share struct {
	// alone: there is no other channel to leave anything for.
	alone bool
	taken [resources]int64
	// waiting are the tickets whose bodies are still arriving, the oldest first.
	waiting list.List
}

// ticket is what one call takes. Its admission guards it.
type ticket struct {
	*admission

	share *share
	taken [resources]int64
	// interrupt ends the wait for the body; it must not block.
	interrupt func()
	position  *list.Element // in share.waiting, nil unless the body is awaited
	// cutOff: what the ticket took is given to another call.
	cutOff bool
}

func newAdmission(places int, bytes int64, buffered, bound prometheus.Gauge) *admission {
	a := &admission{capacity: [resources]int64{place: int64(places)}, shares: make(map[*share]bool), buffered: buffered, bound: bound}
	a.resize(bytes)
	return a
}

// resize changes the memory that there is. Bodies beyond it stay until their calls end, as soon as they would anyway,
// and make room for no further one meanwhile.
func (a *admission) resize(bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.capacity[memory] = bytes
	a.bound.Set(float64(bytes))
}

// enter gives t a place, for a call whose body is awaited. It fails if every place is taken by a call whose body has
// arrived, or if the channel has its share.
func (a *admission) enter(t *ticket, s *share, interrupt func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	*t = ticket{admission: a, share: s, interrupt: interrupt}
	if !t.take(place, 1) {
		return false
	}
	t.position = s.waiting.PushBack(t)
	return true
}

// idle reports whether no call has a place.
func (a *admission) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.taken[place] == 0
}

// widen raises the memory of the ticket to size, and reports whether it could.
func (t *ticket) widen(size int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.cutOff && (size <= t.taken[memory] || t.take(memory, size-t.taken[memory]))
}

// arrive says that the body has arrived, so that the call can no longer be cut off. It reports whether the call was not
// cut off before.
func (t *ticket) arrive() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopWaiting()
	return !t.cutOff
}

// leave gives everything back.
func (t *ticket) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveBack()
}

// take charges n of r, and cuts off waiting calls until there is room for it. It fails if the call itself is the one
// that has waited longest.
func (t *ticket) take(r resource, n int64) bool {
	for !t.hasRoom(r, n) {
		oldest := t.longestWaiting(t.share, r)
		if oldest == nil || oldest == t {
			return false
		}
		oldest.giveBack()
		oldest.cutOff = true
		oldest.interrupt()
	}
	t.charge(r, n)
	t.shares[t.share] = true
	return true
}

// hasRoom reports whether n more of r are free, and leave enough for other channels. The one call of a channel may take
// whatever is free, or a body just as large as allowed might never find room.
func (t *ticket) hasRoom(r resource, n int64) bool {
	free := t.capacity[r] - t.admission.taken[r] - n
	if free < 0 {
		return false
	}
	return t.share.alone || t.share.taken[r] == t.taken[r] || t.share.taken[r]+n <= leaveFor*free
}

// longestWaiting returns the oldest waiting ticket of the share that takes the most of r, s or one above it; nil if
// none waits.
func (a *admission) longestWaiting(s *share, r resource) *ticket {
	var heaviest *share
	if s.waiting.Len() > 0 {
		heaviest = s
	}
	most := s.taken[r]
	for other := range a.shares {
		if other.waiting.Len() > 0 && other.taken[r] > most {
			heaviest, most = other, other.taken[r]
		}
	}
	if heaviest == nil {
		return nil
	}
	return heaviest.waiting.Front().Value.(*ticket)
}

func (t *ticket) stopWaiting() {
	if t.position != nil {
		t.share.waiting.Remove(t.position)
		t.position = nil
	}
}

func (t *ticket) giveBack() {
	t.stopWaiting()
	for r, n := range t.taken {
		t.charge(resource(r), -n)
	}
	if t.share.taken == ([resources]int64{}) {
		delete(t.shares, t.share)
	}
}

// charge adds n of r to what is taken.
func (t *ticket) charge(r resource, n int64) {
	t.taken[r] += n
	t.share.taken[r] += n
	t.admission.taken[r] += n
	if r == memory {
		t.buffered.Set(float64(t.admission.taken[r]))
	}
}

package pebble

import "sync"

// aheadBytes bounds the events that one channel keeps in memory ahead of their claim: about 150 of the usual size.
const aheadBytes = 64 << 10

// readAhead holds a channel's next events in memory. The committer leaves new ones here, so that a sink that keeps up
// costs no reads. The claiming reads a backlog in runs. Every pending event from the first one's sequence to end is in
// it.
type readAhead struct {
	mu     sync.Mutex
	end    uint64
	events []encodedEvent
	bytes  int
}

// encodedEvent is a durable event as it is stored.
type encodedEvent struct {
	sequence uint64
	record   []byte
}

// add keeps new events that continue the run, as far as there is room.
func (a *readAhead) add(events []encodedEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range events {
		if a.end != e.sequence || a.bytes+len(e.record) > aheadBytes {
			return
		}
		a.push(e)
	}
}

func (a *readAhead) push(e encodedEvent) {
	a.events = append(a.events, e)
	a.bytes += len(e.record)
	a.end = e.sequence + 1
}

// next takes the first event. Without one it says where reading has to go on.
func (a *readAhead) next() (e encodedEvent, ok bool, end uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.events) == 0 {
		a.events = nil
		return e, false, a.end
	}
	e, a.events = a.events[0], a.events[1:]
	a.bytes -= len(e.record)
	return e, true, a.end
}

// extend adds the events in [from, end), read from disk, unless the committer was faster.
func (a *readAhead) extend(from uint64, events []encodedEvent, end uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.end != from {
		return
	}
	for _, e := range events {
		a.push(e)
	}
	a.end = end
}

// reset forgets everything: reading goes on from a sequence.
func (a *readAhead) reset(from uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events, a.bytes, a.end = nil, 0, from
}

package pebble

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// channel is the memory of one channel. Its size depends on the claims under way, not on the backlog. Its marks are
// numbers of events, in the order of the line in doc.go; they are grouped by who moves them.
type channel struct {
	name  string
	key   layout.ChannelKey
	ready chan struct{} // signalled when Claim may have something new
	// recovered is the highest sequence that the store held when it was opened. Only up to it can the cursor meet an
	// event that was reached through its lane's record before, and settled.
	recovered uint64
	ahead     readAhead // the next events to claim; the committer and the claiming share it

	settings
	committed
	upkeep
	claimingState
}

// settings are set by the channel's consumer and read by everyone.
type settings struct {
	ordering  atomic.Int32 // an inbox.Ordering
	consumed  atomic.Bool  // a consumer is open
	retention atomic.Int64 // that of dead letters, as a time.Duration; zero keeps them
}

// committed is changed by the committer alone; others read the atomic fields.
type committed struct {
	// last is the highest sequence in use, and settled counts the events that are no longer pending.
	last, settled atomic.Uint64
	durable       atomic.Uint64 // the highest sequence that is fsynced: claiming stops there
	resume        atomic.Uint64 // where claiming would start if the process ended now
	deadLetters   atomic.Int64
	tracked       atomic.Int64 // the number of lane records
	pauses        atomic.Pointer[layout.Pauses]
	recorded      bool   // the channel record exists
	rangeDeleted  uint64 // up to where range deletions were written
}

// upkeep is changed by maintenance alone; others read the atomic fields.
type upkeep struct {
	low    atomic.Uint64 // the low-water mark: no event below it exists any more
	looked uint64        // what settled was when low was moved
}

// claimingState is the claiming's; mu guards all of it.
type claimingState struct {
	mu         sync.Mutex
	cursor     uint64 // the lowest sequence that the claiming has not placed yet
	lanes      map[layout.LaneKey]*lane
	successors []*lane        // untracked lanes whose next event waits to be claimed
	unparked   []*lane        // tracked lanes with events that have no pointer yet
	parking    uint64         // the lowest sequence in the park operation under way, zero if there is none
	parkFrom   layout.Instant // when the next park operation may be made
	// No timer is due before timersFrom, and no unclaimed one before nextTimer.
	timersFrom, nextTimer layout.Instant
	firstSource           int // rotates which source of claims goes first
}

// lane is a lane with a claimed event, or with waiting events in memory.
type lane struct {
	key      layout.LaneKey
	head     uint64 // the event that is claimed, or was last
	size     int    // that of its body, in bytes
	claimed  bool
	settling bool     // the claim's end is on its way to disk
	waiting  []uint64 // further events, in order. Those of a tracked lane are on their way to disk.
	tracked  bool     // the lane has, or is about to get, a record on disk, so that its further events go there too
	parking  bool
}

func newChannel(r layout.ChannelRecord) *channel {
	c := &channel{name: r.Name, key: layout.ChannelKeyOf(r.Name), ready: make(chan struct{}, 1)}
	c.lanes = make(map[layout.LaneKey]*lane)
	c.last.Store(r.Last)
	c.durable.Store(r.Last)
	c.settled.Store(r.Settled)
	c.deadLetters.Store(r.DeadLetters)
	c.low.Store(r.Low)
	c.recovered, c.rangeDeleted, c.looked = r.Last, r.Low, math.MaxUint64
	c.retention.Store(int64(r.Retention))
	c.resume.Store(r.Cursor)
	c.cursor = max(r.Cursor, r.Low, 1)
	c.ahead.end = c.cursor
	c.pauses.Store(&r.Pauses)
	return c
}

func (c *channel) record() layout.ChannelRecord {
	return layout.ChannelRecord{
		Name: c.name, Last: c.last.Load(), Settled: c.settled.Load(), DeadLetters: c.deadLetters.Load(),
		Low: c.low.Load(), Cursor: c.resume.Load(), Pauses: *c.pauses.Load(),
		Retention: time.Duration(c.retention.Load()),
	}
}

func (c *channel) signal() { signal(c.ready) }

// published makes new durable events claimable. A paused channel's claiming is not woken: it would find nothing to do.
func (c *channel) published(events []encodedEvent) {
	running := !c.pauses.Load().Paused()
	if running {
		c.ahead.add(events)
	}
	c.durable.Store(events[len(events)-1].sequence)
	if running {
		c.signal()
	}
}

// timerSet notes that a timer was made durable. The caller holds mu.
func (c *channel) timerSet(due layout.Instant) {
	c.timersFrom = min(c.timersFrom, due)
	c.nextTimer = min(c.nextTimer, due)
	c.signal()
}

// forget drops a lane that has nothing left in memory. The caller holds mu.
func (c *channel) forget(l *lane) {
	if !l.claimed && !l.parking && len(l.waiting) == 0 {
		delete(c.lanes, l.key)
	}
}

// resumeFrom is the lowest sequence that only memory knows about: where a restart has to begin reading.
func (c *channel) resumeFrom() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.cursor
	if c.parking > 0 {
		from = min(from, c.parking)
	}
	for _, l := range c.lanes {
		if l.tracked && !l.parking && len(l.waiting) == 0 {
			continue
		}
		if l.claimed {
			from = min(from, l.head)
		}
		if len(l.waiting) > 0 {
			from = min(from, l.waiting[0])
		}
	}
	return from
}

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

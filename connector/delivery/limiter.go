package delivery

import (
	"container/list"
	"sync"
)

// limiter shares a number of slots between channels by a dynamic threshold: a channel may take another slot while it
// holds fewer than are free over all channels, and fewer than its own bound. A channel that holds none always gets one,
// so the number of slots taken can exceed the capacity by up to one for each channel.
//
// In effect k channels that want everything settle at capacity/(k+1) slots each and leave as many free for the next
// one; nothing is reserved, nor configured per channel. Shares even out as attempts end, so they are uneven for about
// one time-out of a sink after many channels turned greedy: the first one takes half, the next half of the rest. The
// rule is that of Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", IEEE/ACM
// Transactions on Networking 6 (1998), with alpha = 1.
//
// A channel without room waits in a queue, the longest waiting first. Each change wakes the first channel that now has
// room, and no other: it takes what it may, and that wakes the next. So one freed slot wakes one channel, however many
// wait.
type limiter struct {
	mu       sync.Mutex
	capacity int
	taken    int
	budget   int // of bytes
	bytes    int
	waiting  list.List // of *seat
}

// seat is one channel's place at a limiter, which guards its fields.
type seat struct {
	wake  func() // must not block, nor call the limiter
	bound int
	taken int
	bytes int
	place *list.Element // in limiter.waiting, nil if not waiting
}

// take reserves as many slots as s may have now, possibly none.
func (l *limiter) take(s *seat) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.room(s)
	s.taken += n
	l.taken += n
	if n > 0 {
		l.leave(s)
		l.wakeNext()
	}
	return n
}

// fill says how many bytes came into slots of s.
func (l *limiter) fill(s *seat, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.bytes += bytes
	l.bytes += bytes
}

// giveBack returns n slots, and the bytes that were in them.
func (l *limiter) giveBack(s *seat, n, bytes int) {
	l.change(func() {
		s.taken -= n
		l.taken -= n
		s.bytes -= bytes
		l.bytes -= bytes
	})
}

// wait asks for one wake-up as soon as s has room, which may be now. After the wake-up, s calls take or withdraw, or
// the slots that woke it would be lost on the others.
func (l *limiter) wait(s *seat) {
	l.change(func() {
		if s.place == nil {
			s.place = l.waiting.PushBack(s)
		}
	})
}

// withdraw ends the waiting of s, and passes on a wake-up that s may have had.
func (l *limiter) withdraw(s *seat) { l.change(func() { l.leave(s) }) }

// setBound changes the number of slots that s may hold.
func (l *limiter) setBound(s *seat, bound int) { l.change(func() { s.bound = bound }) }

// resize changes the budget of bytes. Attempts under way beyond it go on to their end.
func (l *limiter) resize(budget int) { l.change(func() { l.budget = budget }) }

// change makes a change, and wakes the first channel that has room after it.
func (l *limiter) change(apply func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	apply()
	l.wakeNext()
}

// room is the number of further slots for s. Each of them both adds to those of s and removes a free one, hence the
// half, rounded up.
func (l *limiter) room(s *seat) int {
	n := (l.capacity - l.taken - s.taken + 1) / 2
	if s.bytes > l.budget-l.bytes {
		n = 0
	}
	if s.taken == 0 {
		n = max(n, 1)
	}
	return max(0, min(n, s.bound-s.taken))
}

func (l *limiter) leave(s *seat) {
	if s.place != nil {
		l.waiting.Remove(s.place)
		s.place = nil
	}
}

func (l *limiter) wakeNext() {
	for e := l.waiting.Front(); e != nil; e = e.Next() {
		if s := e.Value.(*seat); l.room(s) > 0 {
			l.leave(s)
			s.wake()
			return
		}
	}
}

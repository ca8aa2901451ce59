package inboxtest

import (
	"errors"
	"fmt"
	"time"
)

// advance lets time go by.
type advance struct{ by time.Duration }

func (a advance) String() string { return fmt.Sprintf("%v go by", a.by) }

func (a advance) do(m *machine) effect {
	m.clock.Advance(a.by)
	shown := m.clock.Now()
	return func(q *queue) string { q.tick(a.by, shown); return "" }
}

// set sets the machine's clock.
type set struct{ by time.Duration }

func (s set) String() string { return fmt.Sprintf("the clock is set by %v", s.by) }

func (s set) do(m *machine) effect {
	to := m.clock.Now().Add(s.by)
	if to.Year() < 1000 || to.Year() > 9000 {
		to = NewClock().Now()
	}
	m.clock.Set(to)
	return func(q *queue) string { q.tick(0, to); return "" }
}

// downtime is how a process is away: the clock shows more or less after it, and the machine may have been restarted.
type downtime struct {
	shows   time.Duration
	machine bool
}

func (d downtime) String() string {
	if d.machine {
		return fmt.Sprintf("machine restarted, clock by %v", d.shows)
	}
	return fmt.Sprintf("process restarted, clock by %v", d.shows)
}

// pass lets the downtime happen, and opens the store.
func (d downtime) pass(m *machine) {
	m.Helper()
	set{d.shows}.do(m)
	if d.machine {
		m.clock.Restart()
	}
	var worlds []*queue
	for _, q := range m.worlds {
		worlds = append(worlds, q.restarted(m.clock.Now())...)
	}
	m.worlds = worlds
	m.merge()
	m.start()
}

// restart closes the store and opens it again.
type restart struct{ downtime }

func (r restart) String() string { return "close and open: " + r.downtime.String() }

func (r restart) do(m *machine) effect {
	m.Helper()
	m.wait(func() {
		if err := m.store.Close(); err != nil {
			m.fail(fmt.Errorf("close: %w", err))
		}
	})
	for _, q := range m.worlds {
		q.wrote()
	}
	r.pass(m)
	return unchanged
}

// cut cuts the power during an operation, or after it if that makes fewer syncs.
type cut struct {
	during     operation
	sync, kept int
	seed       uint64
	downtime
}

func (c cut) String() string {
	return fmt.Sprintf("power cut at sync %d, %d %% of the unsynced kept, %v; during: %v", c.sync, c.kept, c.downtime, c.during)
}

func (c cut) do(m *machine) effect {
	m.Helper()
	var before []*queue
	m.between = nil
	for _, q := range m.worlds {
		before = append(before, q.clone())
		before = append(before, c.partly(m, q)...)
	}
	now := m.storage.CutPower(c.sync, c.kept, c.seed)
	m.fit(c.during.do(m))
	if now() {
		m.worlds = append(append(m.worlds, before...), m.between...)
	}
	m.wait(func() { _ = m.store.Close() }) // what it writes is lost
	c.pass(m)
	return unchanged
}

// partly are the queues in between, of an operation on several dead letters that is not one step.
func (c cut) partly(m *machine, q *queue) (all []*queue) {
	e, ok := c.during.(end)
	if !ok || e.redrive && m.full != nil {
		return nil
	}
	places, _ := q.selected(e.channel, e.ids(m.worlds[0]))
	for n := range places {
		part := q.clone()
		part.end(places[:n], e.redrive)
		all = append(all, part)
	}
	return all
}

// fill makes the storage full, or makes room.
type fill struct{ why error }

func (f fill) String() string {
	if f.why == nil {
		return "make room"
	}
	return "no room: " + f.why.Error()
}

func (f fill) do(m *machine) effect {
	m.Helper()
	if errors.Is(m.full, f.why) || m.storage.Fill == nil {
		return unchanged
	}
	m.full = f.why
	m.storage.Fill(f.why)
	if errors.Is(m.store.Room(), f.why) {
		return unchanged
	}
	return restart{}.do(m)
}

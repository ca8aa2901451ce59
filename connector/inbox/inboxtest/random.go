package inboxtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// randomUse accepts, claims, settles, restarts and makes the clock jump at random, and compares every claim with a
// model: the lanes as plain lists.
func randomUse(b *bench) {
	for seed := range uint64(4) {
		b.Run(fmt.Sprintf("seed %d", seed), func(*testing.T) {
			m := &model{bench: b, random: rand.New(rand.NewPCG(seed, 7)), lanes: make(map[string][]int), prefix: fmt.Sprint(seed)}
			for range 800 {
				m.step()
			}
			m.drain()
		})
	}
}

// model is the state that the inbox must have.
type model struct {
	*bench
	random *rand.Rand
	prefix string
	next   int
	lanes  map[string][]int
	held   []inbox.Claim
}

func (m *model) step() {
	switch roll := m.random.IntN(100); {
	case roll < 45:
		m.acceptOne()
	case roll < 60:
		m.hold(m.claim(1 + m.random.IntN(8)))
	case roll < 97:
		m.settleOne()
	case roll < 98:
		m.clock.Advance(time.Duration(m.random.IntN(5)) * time.Second)
	case roll < 99:
		m.jump()
	default:
		m.reopen()
		m.held = nil
	}
}

// jump makes the clock jump, perhaps over a restart. No order depends on it.
func (m *model) jump() {
	all := jumps()
	j := all[m.random.IntN(len(all))]
	j.happen(m.bench)
	if j.restart {
		m.held = nil
	}
}

func (m *model) acceptOne() {
	m.next++
	// Half of the events fall into one busy lane.
	lane := m.prefix + "-0"
	if m.random.IntN(2) == 0 {
		lane = fmt.Sprintf("%s-%d", m.prefix, m.random.IntN(12))
	}
	m.acceptAll(lane, m.next, m.next)
	m.lanes[lane] = append(m.lanes[lane], m.next)
}

// hold checks each claim against the model: it is the first of its lane, and no other claim of that lane is held.
func (m *model) hold(claims []inbox.Claim) {
	for _, c := range claims {
		lane := m.lanes[c.Lane]
		if len(lane) == 0 || c.Event.ID != Event(channelName, c.Lane, lane[0]).ID {
			m.Fatalf("claimed %s; the lane holds %v", c.Event.Body, lane)
		}
		if slices.ContainsFunc(m.held, func(h inbox.Claim) bool { return h.Lane == c.Lane }) {
			m.Fatalf("lane %s was claimed twice", c.Lane)
		}
		m.held = append(m.held, c)
	}
}

func (m *model) settleOne() {
	if len(m.held) == 0 {
		return
	}
	i := m.random.IntN(len(m.held))
	c := m.held[i]
	m.held = slices.Delete(m.held, i, i+1)
	switch roll := m.random.IntN(10); {
	case roll < 5:
		m.settle(c, inbox.Taken{})
	case roll < 6:
		m.settle(c, inbox.Dead{Reason: "HTTP 422"})
	case roll < 7:
		m.settle(c, inbox.Released{})
		return
	default:
		m.settle(c, inbox.Retry{After: time.Duration(m.random.IntN(10)) * time.Second})
		return
	}
	m.lanes[c.Lane] = m.lanes[c.Lane][1:]
}

// drain takes everything that is left, in order.
func (m *model) drain() {
	for _, c := range m.held {
		m.settle(c, inbox.Released{})
	}
	m.held = nil
	m.clock.Advance(time.Minute)
	left := 0
	for _, lane := range m.lanes {
		left += len(lane)
	}
	if got := m.stats().Pending; got != int64(left) {
		m.Fatalf("pending %d, want %d", got, left)
	}
	for ; left > 0; left-- {
		c := m.claimOne()
		m.hold([]inbox.Claim{c})
		m.held = nil
		m.settle(c, inbox.Taken{})
		m.lanes[c.Lane] = m.lanes[c.Lane][1:]
	}
	m.nothingClaimable()
}

package inboxtest

import (
	"slices"
	"strings"
	"sync"
)

// single is an operation of one call, which can be made beside others.
type single interface {
	operation
	// begin returns the call, and what it makes of the model once it has returned.
	begin(*machine) (call func(), e effect)
}

// together makes calls at the same time. Some order of them must explain what all of them return.
type together struct{ calls []operation }

func (o together) String() string {
	var calls []string
	for _, call := range o.calls {
		calls = append(calls, call.String())
	}
	return "together: " + strings.Join(calls, "; ")
}

func (o together) do(m *machine) effect {
	m.Helper()
	var calls []func()
	var effects []effect
	for _, one := range o.calls {
		call, e := one.(single).begin(m)
		calls, effects = append(calls, call), append(effects, e)
	}
	m.wait(func() {
		var all sync.WaitGroup
		for _, call := range calls {
			all.Go(call)
		}
		all.Wait()
	})
	before := m.worlds
	m.worlds = nil
	for _, q := range before {
		m.worlds = append(m.worlds, m.orders(q, effects)...)
	}
	if len(m.worlds) == 0 {
		m.Fatalf("no order of the calls explains what they return; the first: %s", effects[0](before[0]))
	}
	m.merge()
	return unchanged
}

// orders are the worlds after the effects in each order that fits. The worlds on the way there may be what a power cut
// leaves.
func (m *machine) orders(q *queue, left []effect) (after []*queue) {
	if len(left) == 0 {
		return []*queue{q}
	}
	for i, e := range left {
		next := q.clone()
		if e(next) == "" {
			after = append(after, m.orders(next, slices.Concat(left[:i], left[i+1:]))...)
		}
	}
	m.between = append(m.between, q)
	return after
}

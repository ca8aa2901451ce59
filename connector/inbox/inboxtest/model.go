package inboxtest

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// Storage is where a store under the model test keeps its events, and what can happen to it there. What is nil cannot.
type Storage struct {
	// Open opens the store: for the first time, and again after Close or a power cut. A store that cannot go on calls
	// failed with the cause, and does nothing more.
	Open func(failed func(cause error)) (inbox.Inbox, error)
	// CutPower cuts the power at the nth sync from now on, counted from 1. Open then finds what was durable before that
	// sync, and about so many percent of the rest, chosen by the seed. now cuts it if fewer syncs were made, and
	// reports whether it was cut before.
	CutPower func(sync, keptPercent int, seed uint64) (now func() (before bool))
	// Fill makes the storage as full as inbox.ErrFull or inbox.ErrDiskFull says; nil makes room. The store may notice
	// it only when it is opened.
	Fill func(why error)
}

// Model uses a store at random and compares it with a model after each operation: with plain lists, see queue.
// newStorage prepares the storage of one run, whose store reads the time from the clock.
//
// A power cut forks the model: a call that had not returned has happened or not. What the store shows from then on
// decides which, and the test fails if it fits neither.
//
// It takes 20 s at most, unless -rapid.checks is set. A failure is shortened to the fewest operations that still show
// it. The flags -rapid.checks (runs, 100) and -rapid.steps (operations of a run, 30 on average) make the test longer,
// -rapid.seed and -rapid.failfile repeat a failure.
func Model(t *testing.T, newStorage func(*Clock) Storage) {
	t.Helper()
	run := modelled(newStorage)
	const most = 20 * time.Second
	until := time.Now().Add(most)
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "rapid.checks" {
			until = until.AddDate(1, 0, 0)
		}
	})
	rapid.Check(t, bounded(run, until))
}

// bounded does nothing after a time, unless there is a failure to shorten.
func bounded(run func(*rapid.T), until time.Time) func(*rapid.T) {
	failed := false
	return func(t *rapid.T) {
		t.Helper()
		if !failed && time.Now().After(until) {
			return
		}
		failed = true
		run(t)
		failed = false
	}
}

// FuzzModel is Model with operations that a fuzzer chooses.
func FuzzModel(f *testing.F, newStorage func(*Clock) Storage) {
	f.Helper()
	f.Fuzz(rapid.MakeFuzz(modelled(newStorage)))
}

func modelled(newStorage func(*Clock) Storage) func(*rapid.T) {
	return func(t *rapid.T) {
		clock := NewClock()
		m := &machine{
			T: t, clock: clock, storage: newStorage(clock), failed: make(chan error, 1),
			settings: make(map[string]inbox.Settings), worlds: []*queue{newQueue(clock.Now())},
		}
		t.Cleanup(m.end)
		m.start()
		runs(m.storage, m.step).Draw(t, "operations")
		m.drain()
	}
}

// modelChannels are those of the model test. The same ids are sent to both.
var modelChannels = []string{channelName, "chat/other"}

// machine runs operations on a store and on its model.
type machine struct {
	*rapid.T
	clock   *Clock
	storage Storage
	store   inbox.Inbox
	// failed gets the cause if the store ends, and broken says that a call will not return any more.
	failed chan error
	broken bool
	// worlds are the queues of which the store may be one. Only after a power cut are there several.
	worlds []*queue
	// between are the worlds in the middle of calls that were made together.
	between   []*queue
	consumers map[string]inbox.Consumer
	settings  map[string]inbox.Settings
	// held are the claims under way, and ended those that were settled since the last start and were not claimed again.
	held, ended []modelClaim
	// asleep are the channels whose consumer waits for Ready since it claimed.
	asleep map[string]bool
	// full says why there is no room.
	full error
}

// modelClaim is a claim with the consumer that made it.
type modelClaim struct {
	inbox.Claim
	by inbox.Consumer
}

// same reports whether another claim is of the same event.
func (c modelClaim) same(other modelClaim) bool {
	return c.Event.Channel == other.Event.Channel && c.Lane == other.Lane && c.Event.ID == other.Event.ID
}

// effect is what an operation makes of the model. It says in words how the store contradicts that, and nothing if it
// does not.
type effect func(*queue) (wrong string)

// orError is an error in words, and nothing for none.
func orError(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// hang is after how long a call is taken to hang.
const hang = 30 * time.Second

// wait makes a call of the store, which may end or hang.
func (m *machine) wait(call func()) {
	m.Helper()
	done := make(chan struct{})
	go func() {
		defer func() {
			if cause := recover(); cause != nil {
				m.fail(fmt.Errorf("panic: %v", cause))
			}
		}()
		call()
		close(done)
	}()
	select {
	case <-done:
		select {
		case cause := <-m.failed:
			m.Fatalf("%v", cause)
		default:
		}
	case cause := <-m.failed:
		m.broken = true
		m.Fatalf("the store ended: %v", cause)
	case <-time.After(hang):
		m.broken = true
		m.Fatalf("the call hangs")
	}
}

// fail notes the first reason for which the store ends.
func (m *machine) fail(cause error) {
	select {
	case m.failed <- cause:
	default:
	}
}

// start opens the store and a consumer of each channel.
func (m *machine) start() {
	m.Helper()
	m.wait(func() {
		store, err := m.storage.Open(m.fail)
		if err != nil {
			m.fail(fmt.Errorf("open: %w", err))
			return
		}
		m.store = store
	})
	m.held, m.ended = nil, nil
	m.consumers, m.asleep = make(map[string]inbox.Consumer), make(map[string]bool)
	for _, channel := range modelChannels {
		m.consume(channel)
	}
}

func (m *machine) consume(channel string) {
	m.Helper()
	s := m.settings[channel]
	m.wait(func() {
		consumer, err := m.store.Consume(m.Context(), channel, s)
		if err != nil {
			m.fail(fmt.Errorf("consume: %w", err))
			return
		}
		m.consumers[channel], m.asleep[channel] = consumer, false
	})
	m.fit(func(q *queue) string { q.pause(channel, s.Paused); return "" })
}

// end closes the store, also after a failure.
func (m *machine) end() {
	if m.store != nil && !m.broken {
		_ = m.store.Close() // a test that got to its end has closed it before
	}
}

// step does an operation, and asks the store what it holds.
func (m *machine) step(o operation) {
	m.Helper()
	m.Logf("%v", o)
	m.awake(o, func() { m.fit(o.do(m)) })
	m.compare()
}

// fit applies an effect to the worlds and keeps those that fit what the store did.
func (m *machine) fit(e effect) {
	m.Helper()
	var all []string
	m.worlds = slices.DeleteFunc(m.worlds, func(q *queue) bool {
		wrong := e(q)
		if wrong != "" && !slices.Contains(all, wrong) {
			all = append(all, wrong)
		}
		return wrong != ""
	})
	if len(m.worlds) == 0 {
		m.Fatalf("%s", strings.Join(all, "\nor, if the power cut came before:\n"))
	}
}

// merge drops worlds that are the same as another.
func (m *machine) merge() {
	var different, known []*queue
	for _, q := range m.worlds {
		same := q.canonical()
		if !slices.ContainsFunc(known, func(k *queue) bool { return reflect.DeepEqual(k, same) }) {
			different, known = append(different, q), append(known, same)
		}
	}
	m.worlds = different
}

// drain ends a run: it takes all that is left, in order, and looks once more after a restart. What waits forever stays.
func (m *machine) drain() {
	m.Helper()
	m.Logf("take all that is left")
	m.fit(fill{}.do(m))
	for _, c := range slices.Clone(m.held) {
		m.fit(m.settle(c, inbox.Released{}))
	}
	for _, channel := range modelChannels {
		m.fit(configure{channel: channel}.do(m))
		m.takeAll(channel)
	}
	m.compare()
	m.step(restart{})
	m.wait(func() {
		if err := m.store.Close(); err != nil {
			m.fail(fmt.Errorf("close: %w", err))
		}
	})
}

// takeAll takes what is pending of a channel, and lets time go by for what waits.
func (m *machine) takeAll(channel string) {
	m.Helper()
	for {
		m.fit(claim{channel, allOfThem}.do(m))
		for _, c := range slices.Clone(m.held) {
			m.fit(m.settle(c, inbox.Taken{}))
		}
		wait := inbox.Never
		for _, q := range m.worlds {
			_, left := q.claimable(channel)
			wait = min(wait, left)
		}
		if wait == inbox.Never {
			return
		}
		m.fit(advance{wait}.do(m))
	}
}

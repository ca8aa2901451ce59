package inboxtest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// compare asks the store all that can be asked.
func (m *machine) compare() {
	m.Helper()
	retention := m.retention()
	if slices.ContainsFunc(m.worlds, func(q *queue) bool {
		return slices.ContainsFunc(q.dead, func(b buried) bool { return b.overdue(retention) })
	}) {
		m.fit(expiry{}.do(m))
	}
	for _, channel := range modelChannels {
		m.fit(m.figures(channel))
		m.fit(m.graves(channel))
	}
	if err := m.store.Room(); !errors.Is(err, m.full) {
		m.Fatalf("room: %v, want %v", err, m.full)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(modelChannels)), m.store.Channels()); diff != "" {
		m.Fatalf("channels (-want +got):\n%s", diff)
	}
	m.merge()
}

func (m *machine) retention() map[string]time.Duration {
	all := make(map[string]time.Duration)
	for channel, s := range m.settings {
		all[channel] = s.DeadLetterRetention
	}
	return all
}

// figures are a channel's Stats.
func (m *machine) figures(channel string) effect {
	m.Helper()
	var got inbox.Stats
	var err error
	m.wait(func() { got, err = m.store.Stats(m.Context(), channel) })
	return func(q *queue) string {
		if want := q.stats(channel); err != nil || got != want {
			return fmt.Sprintf("stats of %s: %+v, %v; want %+v", channel, got, err, want)
		}
		return ""
	}
}

// graves are a channel's dead letters.
func (m *machine) graves(channel string) effect {
	m.Helper()
	var got []inbox.DeadLetter
	var failed error
	m.wait(func() {
		for letter, err := range m.store.DeadLetters(channel) {
			if err != nil {
				failed = err
				return
			}
			got = append(got, letter)
		}
	})
	return func(q *queue) string {
		if diff := cmp.Diff(q.letters(channel), q.inOrder(channel, got)); diff != "" || failed != nil {
			return fmt.Sprintf("dead letters of %s: error %v (-want +got):\n%s", channel, failed, diff)
		}
		return ""
	}
}

// unsignalled is after how long a signal is taken to be missing.
const unsignalled = 5 * time.Second

// awake fails the test if a consumer sleeps and an event of its channel becomes claimable without a signal.
func (m *machine) awake(o operation, do func()) {
	m.Helper()
	quiet := make(map[string]bool)
	for _, channel := range modelChannels {
		quiet[channel] = m.settings[channel].Paused || m.claimable(channel) == 0
	}
	do()
	for _, channel := range modelChannels {
		if !quiet[channel] || !m.asleep[channel] || !wakes(o) || m.settings[channel].Paused || m.claimable(channel) < len(m.worlds) {
			continue
		}
		select {
		case <-m.consumers[channel].Ready():
			m.asleep[channel] = false
		case <-time.After(unsignalled):
			m.Fatalf("an event of %s became claimable, and Ready was not signalled", channel)
		}
	}
}

// wakes reports whether an operation makes events claimable, so that Ready must have a value.
func wakes(o operation) bool {
	switch o := o.(type) {
	case accept, configure, end:
		return true
	case settle:
		_, taken := o.verdict.(inbox.Taken)
		_, dead := o.verdict.(inbox.Dead)
		return taken || dead
	}
	return false
}

func drainReady(c inbox.Consumer) (signalled bool) {
	select {
	case <-c.Ready():
		return true
	default:
		return false
	}
}

// claimable is in how many worlds the channel has an event to claim.
func (m *machine) claimable(channel string) (worlds int) {
	for _, q := range m.worlds {
		if now, _ := q.claimable(channel); now {
			worlds++
		}
	}
	return worlds
}

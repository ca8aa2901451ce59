package inboxtest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// queue is what an inbox must hold: plain lists, and each age is a number that grows while time goes by.
type queue struct {
	// pending are the events of all channels in the order in which they came.
	pending []queued
	// dead are the dead letters of all channels, oldest first.
	dead []buried
	// known are the ids of the events that were stored.
	known []knownID
	// paused names the channels that are paused.
	paused []string
	// readings are what the store may have on disk of its clock; the last is the time now.
	readings []reading
	// came counts the events that were stored or redriven.
	came int
}

// queued is a pending event.
type queued struct {
	event      event.Event
	lane       string
	number     int
	attempts   int
	acceptedAt time.Time
	held       bool
	// wait is what is left until the next attempt, and negative if that is overdue.
	age, paused, wait time.Duration
}

// buried is a dead letter.
type buried struct {
	letter inbox.DeadLetter
	lane   string
	number int
	age    time.Duration
}

type knownID struct {
	channel string
	id      event.ID
	age     time.Duration
}

// reading is how old the store is since its last start, and what the machine's clock shows.
type reading struct {
	age   time.Duration
	shown time.Time
}

func newQueue(shown time.Time) *queue { return &queue{readings: []reading{{shown: shown}}} }

func (q *queue) clone() *queue {
	c := *q
	c.pending, c.dead, c.known = slices.Clone(q.pending), slices.Clone(q.dead), slices.Clone(q.known)
	c.paused, c.readings = slices.Clone(q.paused), slices.Clone(q.readings)
	return &c
}

func (q *queue) now() reading { return q.readings[len(q.readings)-1] }

// wrote: something was made durable for certain, and the time with it.
func (q *queue) wrote() { q.readings = q.readings[len(q.readings)-1:] }

// pass lets time go by.
func (q *queue) pass(d time.Duration) {
	for i := range q.pending {
		e := &q.pending[i]
		e.age += d
		if slices.Contains(q.paused, e.event.Channel) {
			e.paused += d
		}
		if e.wait != inbox.Never {
			e.wait -= d
		}
	}
	for i := range q.dead {
		q.dead[i].age += d
	}
	for i := range q.known {
		q.known[i].age += d
	}
}

// tick notes what the machine's clock shows after time went by or it was set.
func (q *queue) tick(passed time.Duration, shown time.Time) {
	q.pass(passed)
	q.readings = append(q.readings, reading{q.now().age + passed, shown})
}

// restarted are the queues that a store may hold after a restart: it goes on from a reading of its clock, by what the
// machine's clock says that has passed since, but by nothing at least and by a day at most. No claim outlives the
// process.
func (q *queue) restarted(shown time.Time) (all []*queue) {
	for _, r := range q.readings {
		next := q.clone()
		next.pass(r.age + min(max(shown.Sub(r.shown), 0), perJump) - q.now().age)
		next.readings = []reading{{shown: shown}}
		for i := range next.pending {
			next.pending[i].held = false
		}
		all = append(all, next)
	}
	return all
}

// accept stores a batch, unless it holds new events and there is no room.
func (q *queue) accept(batch []event.Event, o inbox.Ordering, full error) ([]inbox.Outcome, error) {
	var outcomes []inbox.Outcome
	after := q.clone()
	for _, e := range batch {
		if after.knows(e) {
			outcomes = append(outcomes, inbox.Duplicate)
			continue
		}
		outcomes = append(outcomes, inbox.Stored)
		after.known = append(after.known, knownID{channel: e.Channel, id: e.ID})
		after.add(e, o.Lane(e))
	}
	if !slices.Contains(outcomes, inbox.Stored) {
		return outcomes, nil
	}
	if full != nil {
		return nil, full
	}
	*q = *after
	q.wrote()
	return outcomes, nil
}

// add puts an event behind all others.
func (q *queue) add(e event.Event, lane string) {
	q.came++
	q.pending = append(q.pending, queued{event: e, lane: lane, number: q.came, acceptedAt: q.now().shown})
}

func (q *queue) knows(e event.Event) bool {
	return slices.ContainsFunc(q.known, func(k knownID) bool {
		return k.channel == e.Channel && k.id == e.ID && k.age < Window
	})
}

// heads are the first events of a channel's lanes.
func (q *queue) heads(channel string) (heads []*queued) {
	var lanes []string
	for i := range q.pending {
		e := &q.pending[i]
		if e.event.Channel == channel && !slices.Contains(lanes, e.lane) {
			lanes, heads = append(lanes, e.lane), append(heads, e)
		}
	}
	return heads
}

// claimable reports whether any event of the channel may be attempted now, and how long until the next may be.
func (q *queue) claimable(channel string) (now bool, wait time.Duration) {
	wait = inbox.Never
	for _, e := range q.heads(channel) {
		if !e.held {
			now = now || e.wait <= 0
			wait = min(wait, max(e.wait, 0))
		}
	}
	return now, wait
}

// claim holds the event of a claim, and returns the claim that it must be, or in words why there must be none.
func (q *queue) claim(c inbox.Claim) (want inbox.Claim, wrong string) {
	for _, e := range q.heads(c.Event.Channel) {
		switch {
		case e.lane != c.Lane || e.event.ID != c.Event.ID:
			continue
		case e.held:
			return want, fmt.Sprintf("%s was claimed twice", c.Event.Body)
		case e.wait > 0:
			return want, fmt.Sprintf("%s was claimed %v early", c.Event.Body, e.wait)
		}
		e.held = true
		return inbox.Claim{
			Event: e.event, Attempts: e.attempts, Age: e.age, Paused: e.paused, Lane: e.lane, Sequence: c.Sequence,
		}, ""
	}
	return want, fmt.Sprintf("%s was claimed, which is not first in lane %q", c.Event.Body, c.Lane)
}

// settle ends a claim. Its event is the first of the lane, since it is held.
func (q *queue) settle(c inbox.Claim, v inbox.Verdict) {
	i := slices.IndexFunc(q.pending, func(e queued) bool { return e.event.Channel == c.Event.Channel && e.lane == c.Lane })
	e := &q.pending[i]
	e.held = false
	switch v := v.(type) {
	case inbox.Released:
		return
	case inbox.Retry:
		e.attempts++
		e.wait = v.After
	case inbox.Dead:
		q.bury(*e, v.Reason)
		q.pending = slices.Delete(q.pending, i, i+1)
	case inbox.Taken:
		q.pending = slices.Delete(q.pending, i, i+1)
	}
	q.wrote()
}

// bury makes a dead letter. Of those of the same moment, that whose event came first is the oldest.
func (q *queue) bury(e queued, reason string) {
	q.dead = append(q.dead, buried{lane: e.lane, number: e.number, letter: inbox.DeadLetter{
		Event: e.event, Reason: reason, Attempts: e.attempts + 1, AcceptedAt: e.acceptedAt, DiedAt: q.now().shown,
	}})
	slices.SortFunc(q.dead, func(a, b buried) int {
		return cmp.Or(cmp.Compare(b.age, a.age), cmp.Compare(a.number, b.number))
	})
}

// selected are the places of the dead letters that Redrive and Drop choose, and missing counts the ids that name none.
func (q *queue) selected(channel string, ids []event.ID) (places []int, missing int) {
	left := slices.Clone(ids)
	for i, b := range q.dead {
		if b.letter.Event.Channel != channel {
			continue
		}
		at := slices.Index(left, b.letter.Event.ID)
		if at >= 0 {
			left = slices.Delete(left, at, at+1)
		}
		if at >= 0 || len(ids) == 0 {
			places = append(places, i)
		}
	}
	return places, len(left)
}

// end ends the dead letters at some places, and redrives them if asked to.
func (q *queue) end(places []int, redrive bool) {
	for _, i := range places {
		if b := q.dead[i]; redrive {
			q.add(b.letter.Event, b.lane)
		}
	}
	for _, i := range slices.Backward(places) {
		q.dead = slices.Delete(q.dead, i, i+1)
	}
	if len(places) > 0 {
		q.wrote()
	}
}

// pause pauses a channel, or ends that.
func (q *queue) pause(channel string, paused bool) {
	was := slices.Index(q.paused, channel)
	switch {
	case paused && was < 0:
		q.paused = append(q.paused, channel)
		q.wrote()
	case !paused && was >= 0:
		q.paused = slices.Delete(q.paused, was, was+1)
		q.wrote()
	}
}

// overdue reports whether a dead letter is past its channel's retention.
func (b buried) overdue(retention map[string]time.Duration) bool {
	keep := retention[b.letter.Event.Channel]
	return keep > 0 && b.age > keep
}

// expire drops the dead letters that are past their channel's retention.
func (q *queue) expire(retention map[string]time.Duration) {
	q.dead = slices.DeleteFunc(q.dead, func(b buried) bool { return b.overdue(retention) })
	q.wrote()
}

// stats are a channel's.
func (q *queue) stats(channel string) (s inbox.Stats) {
	for _, e := range q.pending {
		if e.event.Channel == channel {
			s.Pending++
			s.OldestPendingAge = max(s.OldestPendingAge, e.age)
		}
	}
	s.DeadLetters = int64(len(q.letters(channel)))
	return s
}

// letters are a channel's dead letters. Those of the same moment are in the order of their ids, since they may be
// listed in any.
func (q *queue) letters(channel string) []inbox.DeadLetter {
	var all []inbox.DeadLetter
	for _, b := range q.dead {
		if b.letter.Event.Channel == channel {
			all = append(all, b.letter)
		}
	}
	return q.inOrder(channel, all)
}

// inOrder puts those of a list of letters that died in the same moment, by the model, in the order of their ids.
func (q *queue) inOrder(channel string, letters []inbox.DeadLetter) []inbox.DeadLetter {
	from := 0
	var ages []time.Duration
	for _, b := range q.dead {
		if b.letter.Event.Channel == channel {
			ages = append(ages, b.age)
		}
	}
	letters = slices.Clone(letters)
	for to := 1; to <= min(len(ages), len(letters)); to++ {
		if to == len(ages) || to == len(letters) || ages[to] != ages[from] {
			slices.SortStableFunc(letters[from:to], compareLetters)
			from = to
		}
	}
	return letters
}

func compareLetters(a, b inbox.DeadLetter) int {
	return cmp.Or(bytes.Compare(a.Event.ID[:], b.Event.ID[:]), cmp.Compare(a.Attempts, b.Attempts),
		cmp.Compare(a.Reason, b.Reason), a.AcceptedAt.Compare(b.AcceptedAt))
}

// canonical is the queue in a form that is equal for queues which no store can tell apart: the order of events in
// different lanes does not show.
func (q *queue) canonical() *queue {
	c := q.clone()
	c.came = 0
	for i := range c.pending {
		c.pending[i].number = 0
	}
	for i := range c.dead {
		c.dead[i].number = 0
	}
	slices.SortStableFunc(c.pending, func(a, b queued) int {
		return cmp.Or(cmp.Compare(a.event.Channel, b.event.Channel), cmp.Compare(a.lane, b.lane))
	})
	slices.SortStableFunc(c.dead, func(a, b buried) int {
		return cmp.Or(cmp.Compare(b.age, a.age), compareLetters(a.letter, b.letter), cmp.Compare(a.lane, b.lane))
	})
	slices.SortStableFunc(c.known, func(a, b knownID) int {
		return cmp.Or(cmp.Compare(b.age, a.age), cmp.Compare(a.channel, b.channel), bytes.Compare(a.id[:], b.id[:]))
	})
	return c
}

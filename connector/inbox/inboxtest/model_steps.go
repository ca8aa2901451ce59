package inboxtest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// operation is one thing that happens to a store.
type operation interface {
	fmt.Stringer
	// do does it to the store, and returns what it makes of the model.
	do(*machine) effect
}

// accept stores a batch.
type accept struct {
	channel string
	batch   []event.Event
}

func (a accept) String() string { return "accept on " + a.channel + ": " + bodies(a.batch) }

func (a accept) do(m *machine) effect {
	m.Helper()
	call, e := a.begin(m)
	m.wait(call)
	return e
}

func (a accept) begin(m *machine) (call func(), e effect) {
	var got []inbox.Outcome
	var err error
	call = func() { got, err = m.store.Accept(m.Context(), a.batch) }
	return call, func(q *queue) string {
		want, refused := q.accept(a.batch, m.settings[a.channel].Ordering, m.full)
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, refused) {
			return fmt.Sprintf("accept: error %v, want %v; outcomes (-want +got):\n%s", err, refused, diff)
		}
		return ""
	}
}

// allOfThem is a limit that is above all that a model holds.
const allOfThem = 1000

// claim claims until the limit is reached or nothing is left to claim.
type claim struct {
	channel string
	limit   int
}

func (c claim) String() string { return fmt.Sprintf("claim up to %d of %s", c.limit, c.channel) }

func (c claim) do(m *machine) effect {
	m.Helper()
	consumer := m.consumers[c.channel]
	var claims []inbox.Claim
	var wait time.Duration
	m.wait(func() { claims, wait = c.all(m, consumer) })
	m.asleep[c.channel] = len(claims) < c.limit
	for _, got := range claims {
		m.Logf("    claimed %s", got.Event.Body)
		m.held = append(m.held, modelClaim{got, consumer})
		m.ended = slices.DeleteFunc(m.ended, modelClaim{Claim: got}.same)
	}
	return func(q *queue) string {
		for _, got := range claims {
			want, wrong := q.claim(got)
			if wrong != "" {
				return wrong
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return fmt.Sprintf("claim (-want +got):\n%s", diff)
			}
		}
		if len(claims) > c.limit {
			return fmt.Sprintf("%d claims, want %d at most", len(claims), c.limit)
		}
		now, want := q.claimable(c.channel)
		if len(claims) < c.limit && (now || wait != want) {
			return fmt.Sprintf("nothing more to claim for %v; the model has more: %v, or after %v", wait, now, want)
		}
		return ""
	}
}

// all calls Claim until the limit is reached, or it says that nothing is left: no signal came, and the store is not at
// work on what it read.
func (c claim) all(m *machine, consumer inbox.Consumer) (all []inbox.Claim, wait time.Duration) {
	for len(all) < c.limit {
		drainReady(consumer)
		claims, wait, err := consumer.Claim(m.Context(), c.limit-len(all))
		if err != nil {
			m.fail(fmt.Errorf("claim: %w", err))
			return all, wait
		}
		all = append(all, claims...)
		if len(all) >= c.limit || wait > 0 && len(claims) == 0 && !drainReady(consumer) {
			return all, wait
		}
	}
	return all, wait
}

// settle ends one of the claims under way.
type settle struct {
	which   int
	verdict inbox.Verdict
}

func (s settle) String() string {
	return fmt.Sprintf("settle claim %d: %T%+v", s.which, s.verdict, s.verdict)
}

func (s settle) do(m *machine) effect {
	m.Helper()
	call, e := s.begin(m)
	m.wait(call)
	return e
}

func (s settle) begin(m *machine) (call func(), e effect) {
	if len(m.held) == 0 {
		return func() {}, unchanged
	}
	return m.settling(m.held[s.which%len(m.held)], s.verdict)
}

// deliver claims all of a channel and settles every claim, a few times.
type deliver struct {
	channel string
	rounds  int
	verdict inbox.Verdict
}

func (d deliver) String() string {
	return fmt.Sprintf("claim all of %s and settle every claim, %d times: %T%+v", d.channel, d.rounds, d.verdict, d.verdict)
}

func (d deliver) do(m *machine) effect {
	m.Helper()
	for range d.rounds {
		m.fit(claim{d.channel, allOfThem}.do(m))
		for _, c := range slices.Clone(m.held) {
			m.awake(settle{verdict: d.verdict}, func() { m.fit(m.settle(c, d.verdict)) })
		}
	}
	return unchanged
}

func unchanged(*queue) string { return "" }

// settle ends a claim.
func (m *machine) settle(c modelClaim, v inbox.Verdict) effect {
	m.Helper()
	call, e := m.settling(c, v)
	m.wait(call)
	return e
}

// settling ends a claim by a call, which does not need the event's body.
func (m *machine) settling(c modelClaim, v inbox.Verdict) (call func(), e effect) {
	m.held = slices.DeleteFunc(m.held, c.same)
	m.ended = append(m.ended, c)
	m.Logf("    settled %s", c.Event.Body)
	bare := c.Claim
	bare.Event.Body = nil
	var err error
	call = func() { err = c.by.Settle(m.Context(), bare, v) }
	return call, func(q *queue) string {
		if err != nil {
			return fmt.Sprintf("settle %s: %v", c.Event.Body, err)
		}
		q.settle(c.Claim, v)
		return ""
	}
}

// again settles a claim that was settled before, and renews it.
type again struct {
	which   int
	verdict inbox.Verdict
}

func (a again) String() string {
	return fmt.Sprintf("settle ended claim %d again: %T%+v", a.which, a.verdict, a.verdict)
}

func (a again) do(m *machine) effect {
	m.Helper()
	if len(m.ended) == 0 {
		return unchanged
	}
	c := m.ended[a.which%len(m.ended)]
	var renewed, settled error
	m.wait(func() {
		renewed = c.by.Renew(m.Context(), &c.Claim)
		settled = c.by.Settle(m.Context(), c.Claim, a.verdict)
	})
	return func(*queue) string {
		if !errors.Is(renewed, inbox.ErrLost) || !errors.Is(settled, inbox.ErrLost) {
			return fmt.Sprintf("%s was settled before: renew %v, settle %v; want ErrLost", c.Event.Body, renewed, settled)
		}
		return ""
	}
}

// renew renews the claims under way.
type renew struct{}

func (renew) String() string { return "renew every claim" }

func (renew) do(m *machine) effect {
	m.Helper()
	var errs []error
	m.wait(func() {
		for i := range m.held {
			errs = append(errs, m.held[i].by.Renew(m.Context(), &m.held[i].Claim))
		}
	})
	return func(*queue) string { return orError(errors.Join(errs...)) }
}

// configure changes a channel's settings.
type configure struct {
	channel  string
	settings inbox.Settings
}

func (c configure) String() string { return fmt.Sprintf("configure %s: %+v", c.channel, c.settings) }

func (c configure) do(m *machine) effect {
	m.Helper()
	m.settings[c.channel] = c.settings
	var err error
	m.wait(func() { err = m.consumers[c.channel].Configure(m.Context(), c.settings) })
	return func(q *queue) string {
		q.pause(c.channel, c.settings.Paused)
		return orError(err)
	}
}

// reconsume closes a channel's consumer and opens another, with its claims held.
type reconsume struct{ channel string }

func (r reconsume) String() string { return "close the consumer of " + r.channel + " and open another" }

func (r reconsume) do(m *machine) effect {
	m.Helper()
	before := m.consumers[r.channel]
	var second, closing, after error
	m.wait(func() {
		_, second = m.store.Consume(m.Context(), r.channel, m.settings[r.channel])
		closing = before.Close()
		_, _, after = before.Claim(m.Context(), 1)
	})
	m.consume(r.channel)
	return func(*queue) string {
		if second == nil || closing != nil || !errors.Is(after, inbox.ErrClosed) {
			return fmt.Sprintf("a second consumer: %v; close: %v; claim after it: %v", second, closing, after)
		}
		return ""
	}
}

// end redrives or drops dead letters.
type end struct {
	channel string
	redrive bool
	// which are places in the list of dead letters; none means all.
	which []int
	// unknown adds an id that no event has.
	unknown bool
}

func (e end) String() string {
	what := "drop"
	if e.redrive {
		what = "redrive"
	}
	return fmt.Sprintf("%s dead letters %v of %s, and one that there is not: %v", what, e.which, e.channel, e.unknown)
}

// ids are those of the chosen dead letters, each once. The first world knows them as well as any: a further one only
// makes some of them unknown.
func (e end) ids(q *queue) (ids []event.ID) {
	letters := q.letters(e.channel)
	for _, i := range e.which {
		if len(letters) > 0 && !slices.Contains(ids, letters[i%len(letters)].Event.ID) {
			ids = append(ids, letters[i%len(letters)].Event.ID)
		}
	}
	if e.unknown {
		ids = append(ids, event.ID{1})
	}
	return ids
}

func (e end) do(m *machine) effect {
	m.Helper()
	ids := e.ids(m.worlds[0])
	act := m.store.Drop
	if e.redrive {
		act = m.store.Redrive
	}
	var got int
	var err error
	m.wait(func() { got, err = act(m.Context(), e.channel, ids...) })
	return func(q *queue) string {
		places, missing := q.selected(e.channel, ids)
		want, refused := len(places), error(nil)
		switch {
		case e.redrive && m.full != nil && len(places) > 0:
			want, refused = 0, m.full
		case missing > 0:
			refused = inbox.ErrNotFound
		}
		if got != want || !errors.Is(err, refused) {
			return fmt.Sprintf("%d dead letters, error %v; want %d, %v", got, err, want, refused)
		}
		q.end(places[:want], e.redrive)
		return ""
	}
}

// expiry ends what is over.
type expiry struct{}

func (expiry) String() string { return "expire" }

func (expiry) do(m *machine) effect {
	m.Helper()
	var err error
	if s, ok := m.store.(expirer); ok {
		m.wait(func() { err = s.Expire(m.Context()) })
	}
	retention := m.retention()
	return func(q *queue) string {
		q.expire(retention)
		return orError(err)
	}
}

package delivery

import (
	"cmp"
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

const (
	// holdAfter different conversations must have met a Retry-After before the
	// channel is held: one or two may be at fault themselves.
	holdAfter = 3
	// longestProbeWait bounds the time between two probes, so that a sink that
	// has recovered early, or asked for too much, is found out soon.
	longestProbeWait = 30 * time.Second
	// probeClaims are claimed for one probe: the second one stands in if the
	// first is of the conversation that was probed last.
	probeClaims = 2
)

// hold is how a channel leaves a sink alone that asks for it by Retry-After.
// Such an answer delays its own conversation only (see decide). If three
// different conversations in a row get one, with nothing taken between, it is
// the sink that is busy: the channel is held. It then makes one attempt, a
// probe, each min(Retry-After, 30 s), each from another conversation. The first
// event that is taken ends the hold.
//
// The zero value holds nothing. The pump's mu guards it.
type hold struct {
	// asked are the conversations, each once, that met a Retry-After since an
	// event was last taken; none once the channel is held.
	asked []string
	// every is the time between probes; zero while the channel is not held.
	every time.Duration
	// next is when the next probe may begin.
	next time.Time
	// probed is the conversation of the last probe.
	probed string
}

// observe takes in how an attempt ended. It reports whether the channel has
// become held, or is no longer.
func (h *hold) observe(a attempt) (changed bool) {
	if a.err == nil {
		changed = h.held()
		*h = hold{}
		return changed
	}
	asked := retryAfter(a.err)
	if asked == 0 {
		return false
	}
	every := min(asked, longestProbeWait)
	switch conversation := conversationOf(a.claim); {
	case h.held():
		h.every = every
		if next := a.ended.Add(every); h.next.Before(next) {
			h.next = next
		}
	case slices.Contains(h.asked, conversation):
	case len(h.asked) < holdAfter-1:
		h.asked = append(h.asked, conversation)
	default:
		*h = hold{every: every, next: a.ended.Add(every), probed: conversation}
		return true
	}
	return false
}

func (h *hold) held() bool { return h.every > 0 }

// probe picks the claim to attempt of those that were made while the channel is
// held, and returns the others, which are given back.
func (h *hold) probe(claims []inbox.Claim, now time.Time) (probe, others []inbox.Claim) {
	if len(claims) == 0 {
		return nil, nil
	}
	if conversationOf(claims[0]) == h.probed {
		claims = slices.Clone(claims)
		slices.Reverse(claims)
	}
	h.next, h.probed = now.Add(h.every), conversationOf(claims[0])
	return claims[:1], claims[1:]
}

// conversationOf is the lane, except on an unordered channel, where each event
// has a lane of its own.
func conversationOf(c inbox.Claim) string { return cmp.Or(c.Event.Conversation, c.Lane) }

// observeHold takes in how an attempt at sink o ended.
func (p *pump) observeHold(a attempt, o *outlet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o != p.sink || !p.hold.observe(a) {
		return
	}
	if p.hold.held() {
		p.showHold(1)
		p.log.Info("The sink asks for a pause: the channel is held until an attempt succeeds", "probeEvery", p.hold.every.String())
		return
	}
	p.showHold(0)
	p.log.Info("The sink takes events again: the channel is no longer held")
	p.poke()
}

// endHold forgets what a sink asked for. The caller holds mu.
func (p *pump) endHold() {
	if p.hold.held() {
		p.showHold(0)
	}
	p.hold = hold{}
}

// showHold sets the metric. The caller holds mu.
func (p *pump) showHold(value float64) {
	if !p.removed {
		p.d.metrics.Held.WithLabelValues(p.channel).Set(value)
	}
}

// keepHold leaves of the claims what may be attempted, and of next, when to
// look again, what the hold allows.
func (p *pump) keepHold(claims []inbox.Claim, next time.Time) (allowed []inbox.Claim, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hold.held() || len(claims) == 0 {
		return claims, next
	}
	others := claims
	if now := time.Now(); !now.Before(p.hold.next) {
		allowed, others = p.hold.probe(claims, now)
	}
	for _, c := range others {
		p.release(c)
	}
	return allowed, p.hold.next
}

// release gives a claim back that was not attempted.
func (p *pump) release(c inbox.Claim) {
	c.Event.Body = nil
	p.d.running.Go(func() {
		_ = p.settles.until(p.d.settling, func() error { return p.d.queue.Settle(p.d.settling, c, inbox.Released{}) })
	})
}

package delivery

import (
	"context"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// claimProbe is claim while the channel is held and its next probe is due. The caller has taken room slots.
func (p *pump) claimProbe(ctx context.Context, held hold, room int) (wait time.Duration, err error) {
	probe, others, wait, err := p.findProbe(ctx, held)
	if len(probe) > 0 {
		wait = p.beginProbe(probe[0])
	}
	p.start(probe)
	p.release(others)
	p.d.slots.giveBack(&p.seat, room-len(probe), 0)
	if err != nil {
		p.d.slots.withdraw(&p.seat)
	}
	return wait, err
}

// findProbe claims until it meets a conversation without a recent attempt, or else takes the one whose attempt is
// longest ago. It returns that claim, and the others to be given back. Otherwise a few conversations that are always
// due and never taken could have every probe, whatever the order of the inbox.
func (p *pump) findProbe(ctx context.Context, held hold) (probe, others []inbox.Claim, wait time.Duration, err error) {
	for limit := len(held.recent) + 1; len(others) < mostPassed; limit *= 2 {
		var claims []inbox.Claim
		claims, wait, err = p.consumer.Claim(ctx, limit)
		for _, c := range claims {
			if len(probe) == 0 {
				probe = []inbox.Claim{c}
				continue
			}
			if held.rank(c) < held.rank(probe[0]) {
				c, probe[0] = probe[0], c
			}
			c.Event.Body = nil // so that one body is held, not all
			others = append(others, c)
		}
		if len(claims) == 0 || held.rank(probe[0]) < 0 {
			break
		}
	}
	return probe, others, wait, err
}

// beginProbe returns how long until the next one.
func (p *pump) beginProbe(c inbox.Claim) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hold.held() {
		return 0 // ended meanwhile: there is more to claim
	}
	p.hold.probe(c, time.Now())
	return p.hold.every
}

// observeHold takes in how an attempt at sink o ended. It counts neither what the sink before answered, nor anything
// while nothing may be held: a paused channel, one that is removed, and one that is drained.
func (p *pump) observeHold(a attempt, o *outlet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o != p.sink || p.delivery.Paused || p.removed || p.drained != nil || !p.hold.observe(a) {
		return
	}
	if p.hold.held() {
		p.metrics.SetHeld(true)
		p.log.Info("The sink asks for a pause: the channel is held until an attempt succeeds", "probeEvery", p.hold.every.String())
		return
	}
	p.metrics.SetHeld(false)
	p.log.Info("The sink takes events again: the channel is no longer held")
	p.poke()
}

// endHold forgets what a sink asked for. The caller holds mu.
func (p *pump) endHold() {
	if p.hold.held() {
		p.metrics.SetHeld(false)
	}
	p.hold = hold{}
}

// heldMeanwhile gives claims back that were made while the channel became held.
func (p *pump) heldMeanwhile(claims []inbox.Claim) bool {
	p.mu.Lock()
	held := p.hold.held()
	p.mu.Unlock()
	if held {
		p.release(claims)
	}
	return held
}

// release gives claims back that were not attempted, and lets the pump look again.
func (p *pump) release(claims []inbox.Claim) {
	if len(claims) == 0 {
		return
	}
	p.mu.Lock()
	p.returns++
	p.mu.Unlock()
	p.d.running.Go(func() {
		for _, c := range claims {
			c.Event.Body = nil
			_ = p.settles.until(p.d.settling, func() error { return p.consumer.Settle(p.d.settling, c, inbox.Released{}) })
		}
		p.mu.Lock()
		p.returns--
		p.mu.Unlock()
		p.poke()
	})
}

package delivery

import (
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

const (
	// attemptLogInterval bounds the log of a sink that is down: at most one line for each channel and interval. Metrics
	// count every attempt.
	attemptLogInterval = time.Minute
	// mostSettling results of one channel are on their way into the inbox without the slots and bodies of their
	// attempts: a sink need not wait for the disk. If the inbox falls behind further, slots stay taken.
	mostSettling = 256
)

// errNoResult is the failure of each event of a batch for which a sink, in breach of its contract, returns more or fewer
// results than events.
var errNoResult = &sink.Failed{Class: resultUnknown, Reason: "it did not return one result for each event"}

// start attempts the claims in batches as large as the sink takes them. Each batch has a goroutine, which ends once its
// claims are settled.
func (p *pump) start(claims []inbox.Claim) {
	if len(claims) == 0 {
		return
	}
	claimed := time.Now()
	bytes := 0
	for _, c := range claims {
		bytes += len(c.Event.Body)
	}
	p.d.slots.fill(&p.seat, bytes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.InFlight += len(claims)
	o := p.sink
	for some := range slices.Chunk(claims, max(o.MaxBatch(), 1)) {
		batch := make([]attempt, len(some))
		for i, c := range some {
			batch[i] = attempt{claim: c, size: len(c.Event.Body)}
		}
		o.join()
		p.d.running.Go(func() { p.deliver(batch, claimed, o) })
	}
}

// deliver makes the attempts of a batch, frees their slots together, and settles each claim by the result of its own.
// No claim waits for another one's settling.
func (p *pump) deliver(batch []attempt, claimed time.Time, o *outlet) {
	p.send(batch, claimed, o)
	o.leave()
	bytes, last := 0, len(batch)-1
	for i, a := range batch {
		v := decide(a, p.retry(), p.d.random)
		p.observeHold(a, o)
		p.record(a, v, o)
		bytes += a.size
		p.settlingNow <- struct{}{}
		if i < last {
			p.d.running.Go(func() { p.settle(a, v) })
			continue
		}
		p.d.slots.giveBack(&p.seat, len(batch), bytes)
		p.settle(a, v)
	}
}

// send makes the attempts of a batch, notes their results, and frees the bodies.
func (p *pump) send(batch []attempt, claimed time.Time, o *outlet) {
	events := make([]event.Event, len(batch))
	for i := range batch {
		events[i] = batch[i].claim.Event
		batch[i].claim.Event.Body = nil
	}
	p.d.metrics.DeliveriesInFlight.Add(float64(len(batch)))
	defer p.d.metrics.DeliveriesInFlight.Sub(float64(len(batch)))
	started := time.Now()
	errs := o.Send(p.d.attempting, events)
	if len(errs) != len(batch) { // nothing tells which event a result is of
		errs = slices.Repeat([]error{errNoResult}, len(batch))
	}
	ended, cut := time.Now(), p.d.attempting.Err() != nil
	for i := range batch {
		p.d.metrics.AttemptDuration.Observe(ended.Sub(started).Seconds())
		a := &batch[i]
		a.ended, a.took, a.err, a.cut = ended, ended.Sub(claimed), errs[i], cut
	}
}

// settle settles a claim, for a caller that put a token into settlingNow, and lets a waiting Drain look again. It
// repeats that until the inbox takes it, since an unsettled claim holds its conversation.
func (p *pump) settle(a attempt, v inbox.Verdict) {
	err := p.settles.until(p.d.settling, func() error { return p.consumer.Settle(p.d.settling, a.claim, v) })
	<-p.settlingNow
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, dead := v.(inbox.Dead); dead && err == nil {
		p.countDead(a)
	}
	p.status.InFlight--
	if p.drained != nil {
		p.poke()
	}
}

func (p *pump) retry() config.Retry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delivery.Retry
}

// record counts an attempt at sink o and keeps the last error for Status.
func (p *pump) record(a attempt, v inbox.Verdict, o *outlet) {
	result, reason := describe(a.err)
	p.metrics.Attempts.Inc(result)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge(a, result, o)
	if a.err == nil {
		p.d.metrics.DeliveryLatency.Observe((a.claim.Age + a.took).Seconds())
		p.status.LastTakenAt = a.ended
		return
	}
	p.status.LastError, p.status.LastErrorAt = reason, a.ended
	if a.ended.Sub(p.logged) >= attemptLogInterval {
		p.logged = a.ended
		_, dead := v.(inbox.Dead)
		p.log.Info("A delivery attempt failed", "reason", reason, "deadLetter", dead, "event", a.claim.Event.ID.String())
	}
}

// judge keeps the time since which the sink in use fails. An attempt that was cut short or not made does not count. The
// caller holds mu.
func (p *pump) judge(a attempt, result string, o *outlet) {
	switch {
	case o != p.sink:
	case result == ResultTaken, result == resultRefused:
		p.status.FailingSince = time.Time{}
	case a.cut, result == resultWithheld:
	case p.status.FailingSince.IsZero():
		p.status.FailingSince = a.ended
	}
}

// countDead counts an event that was given up. The caller holds mu.
func (p *pump) countDead(a attempt) {
	reason := "expired"
	result, why := describe(a.err)
	if result == resultRefused {
		reason = resultRefused
	}
	p.metrics.DeadLettered.Inc(reason)
	p.status.LatestDeath = Death{Reason: reason, Error: why, At: a.ended}
}

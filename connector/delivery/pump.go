package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// leastWait keeps a pump from spinning while the inbox is at work on what it has read.
const leastWait = time.Millisecond

// pump moves one channel's events from the inbox to its sink.
type pump struct {
	d       *Dispatcher
	log     logr.Logger
	metrics *telemetry.Channel
	seat    seat
	wake    chan struct{}
	// consumer takes results after its end too.
	consumer inbox.Consumer
	claims   inboxCalls
	settles  inboxCalls
	// settlingNow holds a token for each claim that is being settled.
	settlingNow chan struct{}

	halt   context.CancelFunc
	halted chan struct{} // closed when the claiming has ended

	// Guarded by Dispatcher.reload; settings are nil if the inbox may not know them.
	sinkDigest string
	settings   *inbox.Settings

	// mu guards what follows.

	mu       sync.Mutex
	removed  bool // no hold may begin any more
	sink     *outlet
	delivery config.Delivery
	hold     hold
	returns  int // calls of release under way
	status   Status
	logged   time.Time
	drained  chan struct{} // closed and cleared when nothing is pending; nil without a call of drain
}

// newPump starts the pump of a channel.
func newPump(d *Dispatcher, c Channel, consumer inbox.Consumer, o *outlet) *pump {
	ctx, halt := context.WithCancel(d.claiming)
	log, settings := d.log.WithValues("channel", c.Name), c.settings()
	p := &pump{
		d:        d,
		log:      log,
		metrics:  d.metrics.Use(c.Name),
		wake:     make(chan struct{}, 1),
		consumer: consumer,
		claims:   inboxCalls{what: "claim", log: log},
		settles:  inboxCalls{what: "settle", final: inbox.ErrLost, log: log},

		settlingNow: make(chan struct{}, mostSettling),
		halt:        halt,
		halted:      make(chan struct{}),
		sinkDigest:  c.SinkDigest,
		settings:    &settings,
		sink:        o,
		delivery:    c.Delivery,
	}
	p.seat = seat{wake: p.poke, bound: c.Delivery.Concurrency}
	d.running.Go(func() { p.run(ctx) })
	return p
}

// poke makes the pump look again; one poke may stand for many.
func (p *pump) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// configure tells the inbox settings that it does not know.
func (p *pump) configure(ctx context.Context, s inbox.Settings) error {
	if p.settings != nil && *p.settings == s {
		return nil
	}
	p.settings = nil
	if err := p.consumer.Configure(ctx, s); err != nil {
		return err
	}
	p.settings = &s
	return nil
}

// adopt applies a reload; o is nil if the sink stays.
func (p *pump) adopt(c Channel, o *outlet) {
	p.sinkDigest = c.SinkDigest
	p.mu.Lock()
	old := p.sink
	if o != nil {
		p.sink = o
		p.status.FailingSince = time.Time{} // it was another sink that failed
	}
	changed := p.delivery != c.Delivery
	p.delivery = c.Delivery
	if changed || o != nil {
		p.endHold() // what was asked for was not asked of this configuration
	}
	p.mu.Unlock()
	if o != nil {
		old.leave()
	}
	if changed {
		p.d.slots.setBound(&p.seat, c.Delivery.Concurrency)
	}
	if changed || o != nil {
		p.poke()
	}
}

// run claims until ctx ends or the inbox is closed.
func (p *pump) run(ctx context.Context) {
	defer p.end()
	ready := p.consumer.Ready()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for ctx.Err() == nil {
		wait := inbox.Never
		err := p.claims.until(ctx, func() (err error) {
			wait, err = p.claim(ctx)
			return err
		})
		if err != nil {
			return
		}
		retry.Reset(max(wait, leastWait))
		select {
		case <-ctx.Done():
		case <-ready:
		case <-p.wake:
		case <-retry.C:
		}
	}
}

func (p *pump) end() {
	p.halt()
	p.d.slots.withdraw(&p.seat)
	if err := p.consumer.Close(); err != nil {
		p.log.Error(err, "The channel's consumer did not close")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sink.leave()
	close(p.halted)
}

// claim starts attempts for everything that may be attempted now and for which there is room. It returns how long until
// the next retry is due, Never if that cannot matter before the pump is woken by something else.
func (p *pump) claim(ctx context.Context) (wait time.Duration, err error) {
	p.mu.Lock()
	paused, drained, held := p.delivery.Paused, p.drained, p.hold
	idle := p.status.InFlight == 0 && p.returns == 0
	p.mu.Unlock()
	switch untilProbe := time.Until(held.next); {
	case paused:
		p.d.slots.withdraw(&p.seat)
		p.reportDrained(drained)
		return inbox.Never, nil
	case held.held() && untilProbe > 0:
		p.d.slots.withdraw(&p.seat)
		return untilProbe, nil
	}
	room := p.d.slots.take(&p.seat)
	switch {
	case room == 0:
		p.d.slots.wait(&p.seat)
		return inbox.Never, nil
	case held.held():
		return p.claimProbe(ctx, held, room)
	}
	claims, wait, err := p.consumer.Claim(ctx, room)
	if p.heldMeanwhile(claims) {
		p.d.slots.giveBack(&p.seat, room, 0)
		return 0, err
	}
	p.start(claims)
	p.d.slots.giveBack(&p.seat, room-len(claims), 0)
	switch {
	case err != nil:
		p.d.slots.withdraw(&p.seat)
	case len(claims) == room: // there may be more
		p.d.slots.wait(&p.seat)
		return inbox.Never, nil
	case idle && len(claims) == 0 && wait == inbox.Never:
		p.reportDrained(drained)
	}
	return wait, err
}

// remove ends the claiming and the hold.
func (p *pump) remove() {
	p.mu.Lock()
	p.endHold()
	p.removed = true
	p.mu.Unlock()
	p.halt()
}

// drain returns a channel that is closed once a later claim finds nothing pending. The events that it leaves may be
// lost, so a hold ends and none begins: every conversation may be attempted once its own wait is over.
func (p *pump) drain() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drained == nil {
		p.drained = make(chan struct{})
	}
	p.endHold()
	p.poke()
	return p.drained
}

// reportDrained answers the callers of drain that asked before the claim.
func (p *pump) reportDrained(asked chan struct{}) {
	if asked == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	close(asked)
	p.drained = nil
}

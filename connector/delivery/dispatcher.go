package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// ErrStopped: Use was called after Stop.
var ErrStopped = errors.New("delivery has stopped")

// settleGrace is how long Stop lets the results of attempts that it has cut short become durable; a commit takes
// milliseconds unless the disk hangs. What is not settled by then is attempted again after the restart.
const settleGrace = time.Second

// lastGrace is how long Stop waits for what it has cut short in every way, which takes no time if sinks and store heed
// it.
const lastGrace = 100 * time.Millisecond

// Channel is one channel's way out.
type Channel struct {
	// Name is the channel's name in the inbox.
	Name string
	// SinkDigest tells sinks apart: a reload with the same digest keeps the sink, its connections included. It covers
	// everything that Open depends on, contents of files too.
	SinkDigest string
	// Open makes the sink; the Dispatcher closes it.
	Open func() (sink.Sink, error)
	// Delivery is validated: concurrency at least 1, no negative duration.
	Delivery config.Delivery
}

// settings are what the inbox keeps to.
func (c *Channel) settings() inbox.Settings {
	s := inbox.Settings{Paused: c.Delivery.Paused, DeadLetterRetention: time.Duration(c.Delivery.DeadLetterRetention)}
	if c.Delivery.Ordering == config.Unordered {
		s.Ordering = inbox.Unordered
	}
	return s
}

// Status describes the deliveries of one channel at a moment.
type Status struct {
	// InFlight counts attempts under way, including those whose result is being stored.
	InFlight int
	// LastError is the error of the latest failed attempt, without secrets, ids or bodies. It outlasts later attempts
	// that succeed; empty if none failed since the start.
	LastError string
	// LastErrorAt is the end of that attempt.
	LastErrorAt time.Time
	// LastTakenAt is the time of the last event that the sink took; zero for none since the start.
	LastTakenAt time.Time
	// NextProbe is the time of the next single attempt while the sink's wish for a pause holds the channel; zero while
	// it is not held.
	NextProbe time.Time
	// FailingSince is the time of the first failed attempt since the sink in use last took or refused an event; zero
	// for none. A refusal is an answer: the sink is up.
	FailingSince time.Time
	// Paused reports whether events are held by the configuration.
	Paused bool
	// LatestDeath is the latest event that was given up since the start.
	LatestDeath Death
}

// Death is why an event was given up: zero for none.
type Death struct {
	// Reason is as in the metrics: refused or expired.
	Reason string
	// Error is why the last attempt failed, without secrets, ids or bodies.
	Error string
	// At is the end of that attempt.
	At time.Time
}

// Dispatcher delivers the events of all channels. Its methods may be called from any goroutine.
type Dispatcher struct {
	queue   inbox.Queue
	metrics *telemetry.Metrics
	log     logr.Logger
	random  func() float64
	slots   limiter

	// Stop ends these one after the other: first the claiming, then the attempts, then the settling of their results.
	claiming, attempting, settling          context.Context //nolint:containedctx // no call that sets them up may end them
	endClaiming, endAttempting, endSettling context.CancelFunc
	running                                 sync.WaitGroup // pumps and attempts
	reload                                  sync.Mutex     // held by Use, and by Stop to begin
	pumps                                   atomic.Pointer[map[string]*pump]
}

// New returns a Dispatcher without channels: Use sets them. maxConcurrency is the number of attempts under way over all
// channels, and maxBytes that of the bytes of their events, both divided as package delivery's documentation says. Stop
// must be called in the end.
func New(queue inbox.Queue, maxConcurrency, maxBytes int, metrics *telemetry.Metrics, log logr.Logger) *Dispatcher {
	d := &Dispatcher{
		queue:   queue,
		metrics: metrics,
		log:     log,
		random:  rand.Float64,
	}
	d.slots.capacity, d.slots.budget = maxConcurrency, maxBytes
	life := context.Background() //nolint:forbidigo // deliveries outlive every call that sets them up, and Stop ends them
	d.claiming, d.endClaiming = context.WithCancel(life)
	d.attempting, d.endAttempting = context.WithCancel(life)
	d.settling, d.endSettling = context.WithCancel(life)
	d.pumps.Store(&map[string]*pump{})
	return d
}

// Resize changes the number of bytes that the events under way may have together, at any time. Attempts under way go
// on.
func (d *Dispatcher) Resize(maxBytes int) { d.slots.resize(maxBytes) }

// Use replaces the set of channels. Nothing is lost or repeated: new channels start; removed ones claim no more, while
// their attempts under way end and their backlog stays in the inbox; a changed sink is used from the next claim on and
// the old one closed after its last attempt; everything else goes on undisturbed.
//
// On an error (a sink that cannot be opened, an inbox that fails, ErrStopped) the channels are what they were; settings
// that the inbox took before it failed stay until the next Use. Once Use returns, no removed channel claims any more.
func (d *Dispatcher) Use(ctx context.Context, channels []Channel) error {
	d.reload.Lock()
	defer d.reload.Unlock()
	if d.claiming.Err() != nil {
		return ErrStopped
	}
	before := *d.pumps.Load()
	opened, err := openChanged(channels, before)
	var consumers map[string]inbox.Consumer
	if err == nil {
		consumers, err = d.consume(ctx, channels, before)
	}
	if err != nil {
		for _, o := range opened {
			o.leave()
		}
		for _, c := range consumers {
			err = errors.Join(err, c.Close())
		}
		return err
	}
	after := make(map[string]*pump, len(channels))
	for _, c := range channels {
		if p := before[c.Name]; p != nil {
			p.adopt(c, opened[c.Name])
			after[c.Name] = p
		} else {
			after[c.Name] = newPump(d, c, consumers[c.Name], opened[c.Name]) //nolint:contextcheck // a pump outlives the reload that starts it
		}
	}
	d.pumps.Store(&after)
	d.haltMissing(before, after)
	return nil
}

// openChanged opens the sinks of new channels and the ones that changed. What it returns with an error is open as well.
func openChanged(channels []Channel, before map[string]*pump) (map[string]*outlet, error) {
	opened := make(map[string]*outlet)
	for _, c := range channels {
		if p := before[c.Name]; p != nil && p.sinkDigest == c.SinkDigest {
			continue
		}
		s, err := c.Open()
		if err != nil {
			return opened, fmt.Errorf("open the sink of channel %q: %w", c.Name, err)
		}
		opened[c.Name] = &outlet{Sink: s}
	}
	return opened, nil
}

// consume tells the inbox what it does not know yet, and opens the consumers of new channels. A setting whose call
// failed counts as unknown, so the next Use repeats it. What it returns with an error is open as well.
func (d *Dispatcher) consume(ctx context.Context, channels []Channel, before map[string]*pump) (map[string]inbox.Consumer, error) {
	opened := make(map[string]inbox.Consumer)
	for _, c := range channels {
		var err error
		if p := before[c.Name]; p != nil {
			err = p.configure(ctx, c.settings())
		} else if consumer, failed := d.queue.Consume(ctx, c.Name, c.settings()); failed == nil {
			opened[c.Name] = consumer
		} else {
			err = failed
		}
		if err != nil {
			return opened, fmt.Errorf("configure channel %q in the inbox: %w", c.Name, err)
		}
	}
	return opened, nil
}

// haltMissing ends the claiming of channels that are gone, and waits for it: a channel that comes back must not have
// two claiming goroutines.
func (d *Dispatcher) haltMissing(before, after map[string]*pump) {
	gone := maps.Clone(before)
	maps.DeleteFunc(gone, func(name string, _ *pump) bool { return after[name] != nil })
	for _, p := range gone {
		p.remove()
	}
	for _, p := range gone {
		<-p.halted
	}
}

// Status describes a channel; it is zero for one that is not in use.
func (d *Dispatcher) Status(channel string) Status {
	p := (*d.pumps.Load())[channel]
	if p == nil {
		return Status{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	status := p.status
	status.NextProbe, status.Paused = p.hold.next, p.delivery.Paused
	return status
}

// Drain waits until no channel in use has an event pending, and returns ctx's error if ctx ends first. Paused channels
// count as empty. No channel is held any more, since an event that is left may be lost. Drain stops nothing, and has a
// meaning only while nothing is accepted.
func (d *Dispatcher) Drain(ctx context.Context) error {
	pumps := *d.pumps.Load()
	empty := make(map[*pump]<-chan struct{}, len(pumps))
	for _, p := range pumps {
		empty[p] = p.drain()
	}
	for p, ch := range empty {
		select {
		case <-ch:
		case <-p.halted:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Stop claims nothing more and waits for the attempts under way. If ctx ends first it cuts them short, so that they are
// made again after a restart, and returns ctx's error. After Stop no goroutine is left and every sink is closed, unless
// a sink or the inbox goes on in spite of its context's end. A further call waits for the same.
func (d *Dispatcher) Stop(ctx context.Context) error {
	d.reload.Lock()
	d.endClaiming()
	d.reload.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.running.Wait()
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		d.endAttempting()
		select {
		case <-ended:
		case <-time.After(settleGrace):
			d.endSettling()
			select {
			case <-ended:
			case <-time.After(lastGrace):
			}
		}
	}
	d.endAttempting()
	d.endSettling()
	return err
}

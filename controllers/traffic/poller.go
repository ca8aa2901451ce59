package traffic

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

const (
	// DefaultInterval is how often a connector is asked. A change shows within 2 minutes, since a second poll confirms
	// it.
	DefaultInterval = 100 * time.Second
	// jitter spreads the polls, which otherwise stay together after the operator's start.
	jitter = 0.05
	// confirmAfter is the part of the interval after which a change is confirmed.
	confirmAfter = 1. / 10
	// unreadFor is for how many intervals an assessment stands while no pod can be read: 10 minutes.
	unreadFor = 6
	// workers bounds the polls at once: a hundred connectors that hang for 3 s hold up no others.
	workers = 128
)

// Target is a connector to ask.
type Target struct {
	// Connector is the resource, which a poll must not change; nil if it is gone.
	Connector *v1alpha1.ChannelConnector
	// Channel is the channel's name in the connector's configuration.
	Channel string
	// Pods are the connector's.
	Pods []corev1.Pod
	// Token is the token of the pods' report; empty while there is none.
	Token string
}

// Options are what a Poller works with; all are required.
type Options struct {
	// Find returns the connector to ask.
	Find func(ctx context.Context, key client.ObjectKey) (Target, error)
	// Wake lets a resource have a pass, which takes the Assessment.
	Wake func(ctx context.Context, key client.ObjectKey)
	// Clock tells how long ago something was.
	Clock clock.PassiveClock
	// Interval is how often each connector is asked.
	Interval time.Duration
}

// Poller polls the connectors that are watched. It is a manager's Runnable, which the leader runs.
type Poller struct {
	Options

	// dial makes a connection to a pod.
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	queue workqueue.TypedDelayingInterface[client.ObjectKey]

	mu    sync.Mutex
	known map[client.ObjectKey]*watched
}

// watched is the state of a connector that is polled.
type watched struct {
	// read is when a pod was last read, or when the watch began.
	read time.Time
	// news is the difference of the last poll from the status.
	news news
	// adopted is the assessment that the status lacks; nil if it lacks none.
	adopted *Assessment
	// worded is when the status last got other words.
	worded time.Time
}

// New makes a Poller that watches nothing.
func New(o Options) *Poller {
	return &Poller{
		Options: o,
		dial:    (&net.Dialer{}).DialContext,
		queue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[client.ObjectKey]{
			Name: "traffic",
		}),
		known: map[client.ObjectKey]*watched{},
	}
}

// Watch has a connector polled from now on.
func (p *Poller) Watch(key client.ObjectKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[key] == nil {
		now := p.Clock.Now()
		p.known[key] = &watched{read: now, worded: now}
		p.queue.AddAfter(key, rand.N(p.Interval)) //nolint:gosec // spreads load
	}
}

// Soon has a watched connector polled earlier than it is due, since its configuration has changed.
func (p *Poller) Soon(key client.ObjectKey) {
	p.queue.AddAfter(key, time.Duration(float64(p.Interval)*confirmAfter))
}

// Forget ends the watch.
func (p *Poller) Forget(key client.ObjectKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, key)
}

// Assessment returns the assessment that the status lacks; nil if it lacks none.
func (p *Poller) Assessment(key client.ObjectKey) *Assessment {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.known[key]; w != nil {
		return w.adopted
	}
	return nil
}

// Start polls until ctx ends.
func (p *Poller) Start(ctx context.Context) error {
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for p.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	p.queue.ShutDown()
	running.Wait()
	return nil
}

// next polls the connector that is due, and reports whether the queue goes on.
func (p *Poller) next(ctx context.Context) bool {
	key, ended := p.queue.Get()
	if ended {
		return false
	}
	defer p.queue.Done(key)
	if again := p.poll(ctx, key); again > 0 {
		p.queue.AddAfter(key, again)
	}
	return true
}

// poll asks a connector and returns when to ask again; 0 is never.
func (p *Poller) poll(ctx context.Context, key client.ObjectKey) time.Duration {
	interval := time.Duration(float64(p.Interval) * (1 + jitter*(2*rand.Float64()-1))) //nolint:gosec // spreads load
	target, err := p.Find(ctx, key)
	if err != nil {
		ctrl.LoggerFrom(ctx).V(1).Info("cannot find what to ask for a report", "ChannelConnector", key, "error", err.Error())
		return interval
	}
	if target.Connector == nil {
		p.Forget(key)
		return 0
	}
	assessment := p.assessment(ctx, key, target)
	if assessment == nil {
		return interval
	}
	adopted, again := p.consider(key, *assessment, Standing(target.Connector.Status))
	if adopted {
		p.Wake(ctx, key)
	}
	if again {
		return time.Duration(float64(p.Interval) * confirmAfter)
	}
	return interval
}

// assessment asks the pods and assesses their reports; nil while the standing one may stand.
func (p *Poller) assessment(ctx context.Context, key client.ObjectKey, t Target) *Assessment {
	now := p.Clock.Now()
	reports, err := p.askAll(ctx, t.Pods, t.Token)
	picture, ok := merge(reports, t.Channel)
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.known[key]
	switch {
	case w == nil: // forgotten meanwhile
		return nil
	case ok:
		w.read = now
		assessment := judge(t.Connector, picture, now)
		return &assessment
	case now.Sub(w.read) < unreadFor*p.Interval, t.Connector.Status.Traffic == nil && errors.Is(err, errNoPod):
		return nil
	}
	why := "no pod knows the channel: none has taken the newest configuration"
	if err != nil {
		why = err.Error()
	}
	assessment := unread(t.Connector, "For 10 minutes, "+why)
	return &assessment
}

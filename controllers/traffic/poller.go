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
	// DefaultInterval is how often a connector is asked: a change shows within 2 minutes,
	// with the look that confirms it.
	DefaultInterval = 100 * time.Second
	// jitter spreads the polls, so that those of an operator that starts do not stay
	// together.
	jitter = 0.05
	// confirmAfter is the part of the interval after which a change is looked at again.
	confirmAfter = 1. / 10
	// unreadFor is how many intervals an assessment stands that cannot be renewed: 10 minutes.
	unreadFor = 6
	// workers bounds the polls at once. A hundred connectors that hang for 3 s each
	// hold up no others.
	workers = 128
)

// Target is a connector to ask.
type Target struct {
	// Connector is the resource, which a poll does not change; nil when it is gone.
	Connector *v1alpha1.ChannelConnector
	// Channel is the channel's name in the connector's configuration.
	Channel string
	// Pods are the connector's.
	Pods []corev1.Pod
	// Token is what the pods want to be shown; empty while there is none.
	Token string
}

// Options are what a Poller works with; all are required.
type Options struct {
	// Find returns what to ask.
	Find func(ctx context.Context, key client.ObjectKey) (Target, error)
	// Wake lets a resource have a pass, which asks for the Assessment.
	Wake func(ctx context.Context, key client.ObjectKey)
	// Clock tells how long ago something was.
	Clock clock.PassiveClock
	// Interval is how often each connector is asked.
	Interval time.Duration
}

// Poller polls the connectors that are watched. It is a manager's Runnable, which the
// leader runs.
type Poller struct {
	Options

	// dial makes a connection to a pod.
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	queue workqueue.TypedDelayingInterface[client.ObjectKey]

	mu    sync.Mutex
	known map[client.ObjectKey]*watched
}

// watched is what is known of a connector that is polled.
type watched struct {
	// read is when a pod last told something, or when the watch began.
	read time.Time
	// news is what the last poll said that is other than what stands.
	news news
	// adopted is what the status is to say, until it does.
	adopted *Assessment
	// worded is when the status was last given other words.
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

// Soon has a watched connector polled earlier than it is due: what it runs with has
// changed.
func (p *Poller) Soon(key client.ObjectKey) {
	p.queue.AddAfter(key, time.Duration(float64(p.Interval)*confirmAfter))
}

// Forget ends the watch.
func (p *Poller) Forget(key client.ObjectKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, key)
}

// Assessment returns what the status should say; nil when it says so already, or when
// nothing is known.
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

// next polls the connector that is due; it returns false once the queue has ended.
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

// poll asks a connector and says when to ask again; 0 is never.
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

// assessment asks the pods and judges what they tell; nil while what stands may stand.
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

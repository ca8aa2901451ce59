// Package registration tells platforms without a console where to call. The calls are made beside the passes, which
// never wait for a platform: a pass says what it wants, and is woken when there is news.
//
//   - At most one call is made for a resource at a time, and one in 5 s, however often its Secrets change.
//   - At most 8 calls are made at once, of 10 s each, and 2 for a namespace: one whose URLs make the platform's answer slow
//     holds up nobody else.
//   - A call that fails is made again after 5 s, then twice that, up to 10 minutes; after 10 minutes at once if the
//     platform refuses the credential; and not before the time that the platform asks for, of 1 h at most.
//   - What it knows is lost with the process. The status knows what was registered, so that nothing is repeated.
package registration

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

const (
	// minPause is the time between two calls for one resource, at least; after failures it doubles up to maxPause.
	minPause = 5 * time.Second
	maxPause = 10 * time.Minute
	// jitter lengthens a pause by a part, so that what failed together is not repeated together.
	jitter = 0.2
	// maxRetryAfter bounds what a platform may ask for.
	maxRetryAfter = time.Hour
	// workers bounds the calls at once, perNamespace those of one namespace.
	workers      = 8
	perNamespace = 2
	// timeout bounds one call.
	timeout = 10 * time.Second
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 64 << 10
)

// Wanted is what a platform is to be told.
type Wanted struct {
	channel.Registration

	// Fingerprint tells it apart from anything else that the platform could be told, and tells nothing of it.
	Fingerprint string
	// Register tells the platform.
	Register func(ctx context.Context, r channel.Registration) error
}

// Outcome is what has become of that; it is zero while nothing has.
type Outcome struct {
	// Registered: the platform was told.
	Registered bool
	// Failure is why the last attempt failed; empty for none. Refused: the platform does not take the credential.
	Failure string
	Refused bool
}

// The results of calls, for a metric.
const (
	ResultRegistered = "registered"
	ResultRefused    = "refused"
	ResultFailed     = "failed"
)

// Options are what a Registrar works with; all are required.
type Options struct {
	// Wake lets a resource have a pass, which takes the Outcome.
	Wake func(ctx context.Context, key client.ObjectKey)
	// Count counts a call by its result.
	Count func(result string)
}

// Registrar registers webhooks. It is a manager's Runnable, which the leader runs.
type Registrar struct {
	Options

	client *http.Client
	queue  workqueue.TypedDelayingInterface[client.ObjectKey]

	// mu guards everything below.
	mu    sync.Mutex
	known map[client.ObjectKey]*entry
	// calling are how many calls are under way, and waiting what waits for one of them to end, each once, by namespace.
	calling map[string]int
	waiting map[string][]client.ObjectKey
}

// entry is a resource whose webhook was to be registered at some time.
type entry struct {
	// wanted is nil if the platform is to be told nothing; paused: nothing now.
	wanted *Wanted
	paused bool
	// waits: it is among those that wait for its namespace.
	waits    bool
	outcome  Outcome
	failures int
	// due is when to call; called is when the last call began.
	due, called time.Time
}

// New makes a Registrar that registers nothing yet.
func New(o Options) *Registrar {
	return &Registrar{
		Options: o, client: newClient(),
		known: map[client.ObjectKey]*entry{}, calling: map[string]int{}, waiting: map[string][]client.ObjectKey{},
		queue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[client.ObjectKey]{Name: "registration"}),
	}
}

// newClient makes the client of all calls. A redirect would take the credential elsewhere, and is not followed.
func newClient() *http.Client {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeader,
		TLSHandshakeTimeout: timeout, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: workers,
	}
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Want has the platform told, unless it is being told the same already, and returns what has become of that.
func (r *Registrar) Want(key client.ObjectKey, w Wanted) Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.known[key]
	if e == nil {
		e = &entry{}
		r.known[key] = e
	}
	if e.wanted != nil && e.wanted.Fingerprint == w.Fingerprint {
		if e.paused {
			e.paused = false
			r.queue.AddAfter(key, time.Until(e.due))
		}
		return e.outcome
	}
	w.Client = r.client
	e.wanted, e.paused, e.outcome, e.failures = &w, false, Outcome{}, 0
	e.due = time.Now()
	if earliest := e.called.Add(minPause); earliest.After(e.due) {
		e.due = earliest
	}
	r.queue.AddAfter(key, time.Until(e.due))
	return Outcome{}
}

// Pause lets no call begin until the same is wanted again, which then goes on as if there had been no pause. A call that
// has begun goes on, and counts.
func (r *Registrar) Pause(key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.known[key]; e != nil {
		e.paused = true
	}
}

// Leave ends what is under way. A call that has begun goes on, and nothing comes of it.
func (r *Registrar) Leave(key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.known[key]; e != nil {
		e.wanted = nil
	}
}

// Forget is Leave for a resource that is gone.
func (r *Registrar) Forget(key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.known[key]; e != nil && e.waits {
		waiting := r.waiting[key.Namespace]
		r.waiting[key.Namespace] = slices.DeleteFunc(waiting, func(other client.ObjectKey) bool { return other == key })
	}
	delete(r.known, key)
}

// Start makes calls until ctx ends.
func (r *Registrar) Start(ctx context.Context) error {
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for r.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	r.queue.ShutDown()
	running.Wait()
	r.client.CloseIdleConnections()
	return nil
}

// next makes the call that is due, and reports whether the queue goes on.
func (r *Registrar) next(ctx context.Context) bool {
	key, ended := r.queue.Get()
	if ended {
		return false
	}
	defer r.queue.Done(key)
	w := r.take(key)
	if w == nil {
		return true
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	err := w.Register(limited, w.Registration)
	cancel()
	r.release(key.Namespace)
	if ctx.Err() == nil && r.note(key, w, err) {
		r.Wake(ctx, key)
	}
	return true
}

// take returns what is due; nil for nothing. What is due later, or has to wait for its namespace, comes later.
func (r *Registrar) take(key client.ObjectKey) *Wanted {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.known[key]
	if e == nil || e.wanted == nil || e.paused || e.outcome.Registered {
		r.admit(key.Namespace)
		return nil
	}
	if wait := time.Until(e.due); wait > 0 {
		r.queue.AddAfter(key, wait)
		r.admit(key.Namespace)
		return nil
	}
	if r.calling[key.Namespace] == perNamespace {
		if !e.waits {
			r.waiting[key.Namespace], e.waits = append(r.waiting[key.Namespace], key), true
		}
		return nil
	}
	r.calling[key.Namespace]++
	e.called = time.Now()
	return e.wanted
}

// release ends a call of a namespace.
func (r *Registrar) release(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calling[namespace]--; r.calling[namespace] == 0 {
		delete(r.calling, namespace)
	}
	r.admit(namespace)
}

// admit lets the first of a namespace that waits try again. One that begins no call then lets in the next.
func (r *Registrar) admit(namespace string) {
	waiting := r.waiting[namespace]
	if len(waiting) > 0 {
		r.known[waiting[0]].waits = false
		r.queue.Add(waiting[0])
		r.waiting[namespace] = waiting[1:]
	}
	if len(waiting) < 2 {
		delete(r.waiting, namespace)
	}
}

// note keeps the result of a call, and reports whether it is news. It is none if something else is wanted by now.
func (r *Registrar) note(key client.ObjectKey, w *Wanted, err error) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	outcome, after := judge(err)
	r.Count(outcome.result())
	e := r.known[key]
	if e == nil || e.wanted != w {
		return false
	}
	news = outcome != e.outcome && !e.paused
	e.outcome = outcome
	if outcome.Registered {
		return news
	}
	e.failures++
	e.due = time.Now().Add(max(after, pause(e.failures, outcome.Refused)))
	if !e.paused {
		r.queue.AddAfter(key, time.Until(e.due))
	}
	return news
}

func (o Outcome) result() string {
	switch {
	case o.Registered:
		return ResultRegistered
	case o.Refused:
		return ResultRefused
	}
	return ResultFailed
}

// judge returns what a call has come to, and when the platform wants to be called again.
func judge(err error) (Outcome, time.Duration) {
	if err == nil {
		return Outcome{Registered: true}, 0
	}
	failure, ok := errors.AsType[*channel.RegistrationError](err)
	if !ok { // it may quote a URL with the credential
		return Outcome{Failure: "the call failed"}, 0
	}
	return Outcome{Failure: failure.Message, Refused: failure.Refused}, min(failure.RetryAfter, maxRetryAfter)
}

// pause is the time until the next call after so many failures.
func pause(failures int, refused bool) time.Duration {
	wait := maxPause
	if doubled := failures - 1; !refused && doubled < 10 {
		wait = min(maxPause, minPause<<doubled)
	}
	return wait + time.Duration(rand.Float64()*jitter*float64(wait)) //nolint:gosec // spreads load
}

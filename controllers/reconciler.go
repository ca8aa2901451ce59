// Package controllers turns ChannelConnectors into running connectors.
//
// Reconcile is level-based: it looks at what is declared and at what is there, and does what is missing. A settled
// resource causes no write.
package controllers

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/registration"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// reconciler reconciles ChannelConnectors.
type reconciler struct {
	Options
	// watched are the namespaces by name; metav1.NamespaceAll is all of them.
	watched map[string]*namespace
	// live reads from the API server: users' Secrets and ConfigMaps, names that may be taken, and the events of a
	// workload that does not come up.
	live     client.Reader
	recorder events.EventRecorder

	// kept holds a *kept for each ChannelConnector, by its key.
	kept     sync.Map
	contests *apply.Contests
	*register
	upgrades   *upgrades
	traffic    *traffic.Poller
	registrar  *registration.Registrar
	definition *definition
	kinds      *kinds
	gateways   *gateways
	// readingBack is held by the pass that reads back a configuration.
	readingBack sync.Mutex
	// woken are resources that have a pass without an event.
	woken chan event.GenericEvent
}

// Reconcile brings one ChannelConnector's children and status to what it declares.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	connector, n := &v1alpha1.ChannelConnector{}, r.in(req.Namespace)
	err := whole{n.Users, r.live}.Get(ctx, req.NamespacedName, connector)
	defer r.upgrades.proceed()
	defer func() { fieldsContested.Set(float64(r.contests.Left())) }()
	if apierrors.IsNotFound(err) || !connector.DeletionTimestamp.IsZero() { // its children go with it
		r.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	p := &pass{reconciler: r, namespace: n, connector: connector, key: req.NamespacedName}
	before, _ := r.kept.LoadOrStore(p.key, &kept{private: apply.Memory{}})
	p.kept, _ = before.(*kept)
	o, err := p.run(ctx)
	if !o.turn.asked {
		r.upgrades.leave(p.key)
	}
	again, err := p.report(ctx, o, errors.Join(err, o.resolved.Unread))
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause): // everything goes
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err): // another writer was faster, and nobody need hear of it
		return ctrl.Result{RequeueAfter: retryConflict}, nil
	case err != nil && len(o.resolved.expiring) > 0: // a key goes out of use in time, whatever else fails
		ctrl.LoggerFrom(ctx).Error(err, "A pass failed; it is repeated when an absent key goes out of use", "after", again.String())
		err = nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// retryConflict is how soon a pass is repeated that met another writer.
const retryConflict = time.Second

// forget drops everything that is kept for a resource that is gone, or going.
func (r *reconciler) forget(key client.ObjectKey) {
	r.kept.Delete(key)
	r.contests.Forget(key)
	r.upgrades.forget(key)
	r.traffic.Forget(key)
	r.registrar.Forget(key)
}

// maxWoken is how many resources may be woken without waiting for a worker.
const maxWoken = 1024

// wake lets a resource have a pass.
func (r *reconciler) wake(ctx context.Context, key client.ObjectKey) {
	c := &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	select {
	case r.woken <- event.GenericEvent{Object: c}:
	case <-ctx.Done():
	}
}

// wakeAll lets every resource have a pass.
func (r *reconciler) wakeAll(ctx context.Context) {
	for name := range r.watched {
		for _, request := range r.requests(ctx, name) {
			r.wake(ctx, request.NamespacedName)
		}
	}
}

// pass is one reconciliation of one resource. It holds no state of its own: each phase returns what it found out.
type pass struct {
	*reconciler
	*namespace
	connector *v1alpha1.ChannelConnector
	key       client.ObjectKey
	kept      *kept
}

// kept is what the passes of a ChannelConnector remember. It is empty when the operator starts.
type kept struct {
	rollOut rollOut
	failure failure
	// expiring are the absent keys, also where the status cannot be written.
	expiring []v1alpha1.ExpiringKey
	// quoted is the event that the status quotes; nil for none.
	quoted *status.Warning
	// private are the children that hold secrets.
	private apply.Memory
	// reportToken is the token of the connector's report; nil while no pass has seen one. Polls read it beside a pass.
	reportToken atomic.Pointer[string]
	refusal     refusal
	// exposed bounds the changes of Exposed; nil before the first one.
	exposed *rate.Limiter
	// idle reports whether the last pass upgraded nothing, whatever the Deployment says, which may be a tenant's own.
	// Passes of others read it.
	idle atomic.Bool
}

// outcome is what the phases of a pass returned, in their order. The value of a phase that was not reached is zero.
type outcome struct {
	// full is the obstacle that the namespace has too many resources; nil if it has not.
	full *status.Obstacle
	// current is the configuration in the cluster; nil while there is none.
	current  *currentConfig
	resolved resolved
	volume   volume
	rendered rendered
	turn     turn
	// foreign is the obstacle that a child's name is taken; nil if none is.
	foreign  *status.Obstacle
	observed observed
	exposed  exposed
	// touchAgain is when pods are to be told of their configuration again; 0 for never.
	touchAgain time.Duration
	// failed is the failure that ended the pass, as the status tells it; nil for none.
	failed *status.Obstacle
}

// run goes through the phases. A phase that finds an obstacle returns it, and the next ones do what they still can.
func (p *pass) run(ctx context.Context) (o outcome, err error) {
	if o.full = p.full(); o.full != nil {
		p.kept.idle.Store(true)
		o.observed, err = p.observeWorkload(ctx)
		return o, err
	}
	p.traffic.Watch(p.key)
	if o.current, err = p.findConfig(ctx); err != nil {
		return o, err
	}
	if o.resolved, err = p.resolveCredentials(ctx, o.current); err != nil {
		return o, err
	}
	if o.volume, err = p.findVolume(ctx); err != nil {
		return o, err
	}
	o.rendered = p.renderConfig(o.current, o.resolved, o.volume)
	o.exposed.Taken = p.taken()
	if o.turn, err = p.takeTurn(ctx, o.rendered); err != nil {
		return o, err
	}
	p.kept.idle.Store(!o.turn.upgrading)
	inner, outer := split(p.wanted(o))
	if o.foreign, err = p.applyChildren(ctx, o, inner); err != nil {
		return o, err
	}
	if o.observed, err = p.observeWorkload(ctx); err != nil {
		return o, err
	}
	if o.outside() == nil {
		if o.touchAgain, err = p.touchPods(ctx, o.rendered.input, o.observed.Pods); err != nil {
			return o, err
		}
	}
	var foreign *status.Obstacle
	o.exposed, foreign, err = p.expose(ctx, o, outer)
	o.foreign = cmp.Or(o.foreign, foreign)
	return o, err
}

// obstacle is what kept the children from being written; nil when they were.
func (o outcome) obstacle() *status.Obstacle { return cmp.Or(o.full, o.outside(), o.rendered.denied) }

// outside is an obstacle that may end without an event of the resource or the operator; nil for none.
func (o outcome) outside() *status.Obstacle { return cmp.Or(o.failed, o.foreign, o.rendered.obstacle) }

// observation is what the status is computed from.
func (p *pass) observation(o outcome) status.Observation {
	seen := status.Observation{
		Connector: p.connector, Workload: o.observed.Workload,
		Judged: o.resolved.judged, Findings: o.resolved.Findings, Unread: o.resolved.Unread != nil,
		Expiring: o.resolved.expiring, APIKeySecretName: o.resolved.apiKey.name,
		Obstacle: o.obstacle(), ConfigWritten: o.current != nil, Growth: p.growth(o.volume),
		UpdatePending: o.turn.keep != nil && o.rendered.denied == nil, UpgradesStopped: o.turn.stopped,
		DefinitionOutdated: p.definition.outdated(), Traffic: p.traffic.Assessment(p.key),
		Exposure: o.exposed.Exposure,
	}
	if served := o.rendered.input.Connector; served != nil {
		seen.URL = children.URL(served)
	}
	seen.Now = cmp.Or(seen.Now, p.Clock.Now())
	seen.Registration = p.registration(o, seen)
	return seen
}

// minObstacle and maxObstacle bound the time until a pass is repeated that met an obstacle whose end causes no event,
// such as an object of another owner with a child's name.
const (
	minObstacle = time.Second
	maxObstacle = time.Minute
)

// afterObstacle is when to look whether an obstacle is gone: after as long as the resource has not been Ready.
func (p *pass) afterObstacle() time.Duration {
	ready := meta.FindStatusCondition(p.connector.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return minObstacle
	}
	return min(max(p.Clock.Since(ready.LastTransitionTime.Time), minObstacle), maxObstacle)
}

// input is what the children are built from.
func (o outcome) input() children.Input {
	in := o.rendered.input
	in.Keep, in.Upgrading, in.Taken = o.turn.keep, o.turn.upgrading, takenPaths(o.exposed.Taken)
	return in
}

// wanted returns the children that the resource wants; none before a pod can start.
func (p *pass) wanted(o outcome) []children.Child {
	if !o.rendered.startable {
		return nil
	}
	kinds := p.kinds.served(p.place)
	if o.turn.withhold {
		kinds = slices.DeleteFunc(kinds, func(k children.Kind) bool { return k.Name == children.Deployment.Name })
	}
	all := children.Build(kinds, o.input())
	p.contests.Keep(p.key, all)
	return all
}

// split parts the children from those that only lead calls to the connector.
func split(all []children.Child) (inner, outer []children.Child) {
	for _, child := range all {
		if child.Kind.Outer {
			outer = append(outer, child)
		} else {
			inner = append(inner, child)
		}
	}
	return inner, outer
}

// applyChildren writes each child that is not as wanted, and then deletes those that nothing uses any more.
func (p *pass) applyChildren(ctx context.Context, o outcome, wanted []children.Child) (*status.Obstacle, error) {
	foreign, err := p.write(ctx, o, wanted)
	if foreign != nil || err != nil || cmp.Or(o.rendered.obstacle, o.rendered.denied) != nil {
		return foreign, err
	}
	return nil, p.prune(ctx, o, false)
}

// write writes each child that is not as wanted. It stops at the first one whose name is taken, which it returns as an
// obstacle: the ones after it would use that object.
func (p *pass) write(ctx context.Context, o outcome, wanted []children.Child) (*status.Obstacle, error) {
	applier := p.applier()
	for _, child := range wanted {
		inherited := p.inherits(ctx, child)
		changed, err := applier.Apply(ctx, p.connector, child)
		if child.Kind.Name == "PersistentVolumeClaim" && o.rendered.input.ClaimRequest == nil {
			changed, err = p.yield(ctx, o, child, changed, err)
		}
		if err != nil && !child.Kind.Outer {
			p.upgrades.leave(p.key) // another connector may use the slot
		}
		if foreign, ok := errors.AsType[*apply.ForeignError](err); ok {
			return &status.Obstacle{Reason: status.ReasonNameTaken, Message: foreign.Error(), Stalled: true}, nil
		}
		if err != nil {
			return nil, err
		}
		if changed {
			p.tellApplied(ctx, child, o.current, o.input())
		}
		if changed && inherited {
			p.tellInboxAdopted(child.Name)
		}
	}
	return nil, nil //nolint:nilnil // nothing is in the way
}

// prune deletes the children that the resource does not want: those that only lead calls to the connector, or the
// others.
func (p *pass) prune(ctx context.Context, o outcome, outer bool) error {
	kinds := slices.DeleteFunc(p.kinds.served(p.place), func(k children.Kind) bool { return k.Outer != outer })
	for _, child := range children.Unwanted(kinds, o.input()) {
		if _, err := p.applier().Prune(ctx, p.connector, child); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) applier() *apply.Applier {
	return &apply.Applier{
		Client: p.Own, Metadata: p.Users, Live: p.live, Slim: slim, Memory: p.kept.private, Contests: p.contests,
	}
}

// tellApplied tells of a child that was written.
func (p *pass) tellApplied(ctx context.Context, child children.Child, current *currentConfig, in children.Input) {
	ctrl.LoggerFrom(ctx).V(1).Info("applied", "child", child.String())
	if child.Kind.Name != "Secret" || current == nil || current.is(in.Config) {
		return
	}
	p.traffic.Soon(p.key)
	taken := "the running pod takes it without a restart"
	if current.startDigest != in.StartDigest {
		taken = "a new pod takes it, since some of it is read only at the start"
	}
	p.event("Normal", "ConfigurationChanged", "Wrote a new configuration: "+taken)
}

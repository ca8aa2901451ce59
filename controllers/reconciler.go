// Package controllers turns ChannelConnectors into running connectors.
//
// Reconcile is level-based: it looks at what is declared and at what is there,
// and does what is missing. A settled resource causes no write.
package controllers

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// Reconciler reconciles ChannelConnectors.
type Reconciler struct {
	// Namespaces are what is watched, by name; metav1.NamespaceAll is all of them.
	Namespaces map[string]*Namespace
	// Live reads from the API server: users' Secrets, names that may be taken, and the
	// events of a workload that does not come up.
	Live client.Reader
	// Recorder records events.
	Recorder events.EventRecorder
	// Clock tells when pods are to be told of a configuration again, until when an
	// absent key is accepted, how long a workload has been down, and how long a
	// contested field is left as it is.
	Clock clock.PassiveClock
	// Kinds are the kinds of children.
	Kinds []children.Kind
	// Image is the connector's container image.
	Image string
	// MaxConcurrentUpgrades is how many workloads are upgraded at a time after the
	// operator has changed. Default of the program: 5.
	MaxConcurrentUpgrades int
	// ReportInterval is how often each connector is asked for its report.
	ReportInterval time.Duration

	rollOuts   rollOuts
	absences   absences
	failures   failures
	contests   *apply.Contests
	upgrades   *upgrades
	traffic    *traffic.Poller
	definition *definition
	kinds      *kinds
}

// pass is one reconciliation of one resource.
type pass struct {
	*Reconciler
	*Namespace
	connector *v1alpha1.ChannelConnector
	// input is what the children are built from, filled in by the phases.
	input children.Input
	// current is the configuration that is in the cluster, wanted the one that is
	// declared; nil where there is none.
	current     *currentConfig
	wanted      *render.Config
	credentials *credentials.Credentials
	// unread is why some Secret could not be read; the rest of the pass does without.
	unread error
	seen   status.Observation
	// heard says that events were read.
	heard bool
	// before is the Deployment as it was before the pass, nil when there was none.
	before *appsv1.Deployment
	// upgradeFailed says that the workload was upgraded and does not come up.
	upgradeFailed bool
	// again is when to look again without an event; 0 is never.
	again time.Duration
}

// Reconcile brings one ChannelConnector's children and status to what it
// declares.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	connector, namespace := &v1alpha1.ChannelConnector{}, r.in(req.Namespace)
	err := namespace.Users.Get(ctx, req.NamespacedName, connector)
	defer r.upgrades.proceed(ctx)
	defer func() { fieldsContested.Set(float64(r.contests.Left())) }()
	if apierrors.IsNotFound(err) || !connector.DeletionTimestamp.IsZero() { // its children go with it
		r.upgrades.forget(req.NamespacedName)
		r.rollOuts.forget(req.NamespacedName)
		r.absences.note(req.NamespacedName, nil)
		r.failures.end(req.NamespacedName)
		r.contests.Forget(req.NamespacedName)
		r.traffic.Forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	r.traffic.Watch(req.NamespacedName)
	p := &pass{Reconciler: r, Namespace: namespace, connector: connector}
	p.seen = status.Observation{Connector: connector, Traffic: r.traffic.Verdict(req.NamespacedName), Now: r.Clock.Now()}
	p.input = children.Input{Connector: connector, Image: r.Image}
	err = p.report(ctx, errors.Join(p.run(ctx), p.unread))
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause): // everything goes
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err): // somebody was faster, and nobody need hear of it
		return ctrl.Result{RequeueAfter: retryConflict}, nil
	case err != nil && len(p.seen.Expiring) > 0: // a key goes out of use in time, whatever else fails
		ctrl.LoggerFrom(ctx).Error(err, "A pass failed; it is repeated when an absent key goes out of use", "after", p.again.String())
		return ctrl.Result{RequeueAfter: p.again}, nil
	case err != nil:
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: p.again}, nil
}

// run goes through the phases. A phase that finds something in the way notes it
// and lets the next ones do what they still can.
func (p *pass) run(ctx context.Context) error {
	for _, phase := range []func(context.Context) error{
		p.findConfig,
		p.resolveCredentials,
		p.renderConfig,
		p.findDeployment,
		p.applyChildren,
		p.pruneChildren,
		p.observeWorkload,
		p.touchPods,
	} {
		if err := phase(ctx); err != nil {
			return err
		}
	}
	return nil
}

// retryConflict is how soon a pass is repeated that met another writer.
const retryConflict = time.Second

// minObstacle and maxObstacle bound the time until a pass is repeated when
// something is in the way whose end causes no event, such as an object of somebody
// else with a child's name.
const (
	minObstacle = time.Second
	maxObstacle = time.Minute
)

// lookAgain asks for a pass after a while, unless one is near.
func (p *pass) lookAgain(after time.Duration) {
	if p.again == 0 || after < p.again {
		p.again = after
	}
}

// obstruct notes what keeps the children from being written, to look again after
// as long as the resource has not been Ready: soon when somebody is about to mend
// it, rarely when nobody is.
func (p *pass) obstruct(o status.Obstacle) {
	p.seen.Obstacle = &o
	again := minObstacle
	ready := meta.FindStatusCondition(p.connector.Status.Conditions, v1alpha1.ConditionReady)
	if ready != nil && ready.Status != metav1.ConditionTrue {
		again = min(max(p.Clock.Since(ready.LastTransitionTime.Time), minObstacle), maxObstacle)
	}
	p.lookAgain(again)
}

// applyChildren writes what is not as wanted, and stops at the first child whose
// name is taken: the ones after it would use somebody else's object.
func (p *pass) applyChildren(ctx context.Context) error {
	if p.current == nil && p.wanted == nil {
		return nil // a pod could not start without a configuration
	}
	if err := p.upgrades.choose(ctx, p); err != nil {
		return err
	}
	all := children.Build(p.kinds.served(), p.input)
	p.contests.Keep(client.ObjectKeyFromObject(p.connector), all)
	for _, child := range all {
		changed, err := p.applier().Apply(ctx, p.connector, child)
		if err != nil {
			p.upgrades.leave(client.ObjectKeyFromObject(p.connector)) // somebody else may use the place
		}
		if foreign, ok := errors.AsType[*apply.ForeignError](err); ok {
			p.obstruct(status.Obstacle{Reason: status.ReasonNameTaken, Message: foreign.Error(), Stalled: true})
			return nil
		}
		if err != nil {
			return err
		}
		if changed {
			p.applied(ctx, child)
		}
	}
	return nil
}

// pruneChildren deletes what is no longer wanted, once nothing can use it any
// more.
func (p *pass) pruneChildren(ctx context.Context) error {
	if p.seen.Obstacle != nil {
		return nil
	}
	for _, child := range children.Unwanted(p.kinds.served(), p.input) {
		if _, err := p.applier().Prune(ctx, p.connector, child); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) applier() *apply.Applier {
	return &apply.Applier{Client: p.Own, Live: p.Live, Contests: p.contests}
}

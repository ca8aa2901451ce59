// Package controllers turns ChannelConnectors into running connectors.
//
// Reconcile is level-based: it looks at what is declared and at what is there,
// and does what is missing. A settled resource causes no write.
package controllers

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
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

	rollOuts   memory[rollOut]
	failures   memory[failure]
	absences   memory[[]v1alpha1.ExpiringKey]
	quoted     memory[*status.Warning]
	contests   *apply.Contests
	upgrades   *upgrades
	traffic    *traffic.Poller
	definition *definition
	kinds      *kinds
	// woken are resources that have a pass without an event.
	woken chan event.GenericEvent
}

// Reconcile brings one ChannelConnector's children and status to what it declares.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	connector, namespace := &v1alpha1.ChannelConnector{}, r.in(req.Namespace)
	err := namespace.Users.Get(ctx, req.NamespacedName, connector)
	defer r.upgrades.proceed()
	defer func() { fieldsContested.Set(float64(r.contests.Left())) }()
	if apierrors.IsNotFound(err) || !connector.DeletionTimestamp.IsZero() { // its children go with it
		r.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	r.traffic.Watch(req.NamespacedName)
	p := &pass{Reconciler: r, Namespace: namespace, connector: connector, key: req.NamespacedName}
	o, err := p.run(ctx)
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
func (r *Reconciler) forget(key client.ObjectKey) {
	r.rollOuts.forget(key)
	r.failures.forget(key)
	r.absences.forget(key)
	r.quoted.forget(key)
	r.contests.Forget(key)
	r.upgrades.forget(key)
	r.traffic.Forget(key)
}

// maxWoken is how many resources may be woken without waiting for a worker.
const maxWoken = 1024

// wake lets a resource have a pass.
func (r *Reconciler) wake(ctx context.Context, key client.ObjectKey) {
	c := &v1alpha1.ChannelConnector{}
	c.Namespace, c.Name = key.Namespace, key.Name
	select {
	case r.woken <- event.GenericEvent{Object: c}:
	case <-ctx.Done():
	}
}

// wakeAll lets every resource have a pass.
func (r *Reconciler) wakeAll(ctx context.Context) {
	for name, n := range r.Namespaces {
		list := &v1alpha1.ChannelConnectorList{}
		if err := n.Users.List(ctx, list, client.InNamespace(name), client.UnsafeDisableDeepCopy,
			client.DisableReadYourWritesConsistency); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot list the ChannelConnectors", "namespace", name)
		}
		for i := range list.Items {
			r.wake(ctx, client.ObjectKeyFromObject(&list.Items[i]))
		}
	}
}

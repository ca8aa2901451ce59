package controllers

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// upgrades lets workloads get the pod template of a new version of the operator a
// few at a time. Which workloads are being upgraded stands in the annotations of
// their Deployments, so that a restart of the operator changes nothing; in memory
// there is only who waits.
//
// A workload whose turn has not come keeps its template. One whose resource
// changed, or that serves nothing, gets the new template at once and takes no
// place. When an upgraded workload does not come up, nobody's turn comes until it
// does, or until its resource changes.
type upgrades struct {
	client client.Reader
	limit  int
	// wake reconciles a resource whose turn may have come.
	wake chan event.GenericEvent

	// mu is held from the count of the places taken until the write that takes
	// one.
	mu      sync.Mutex
	waiting waitingList
}

// waitingList is a queue without repetitions.
type waitingList struct {
	order []client.ObjectKey
	in    map[client.ObjectKey]bool
}

// maxWakes is how many resources may be told at a time that their turn has come;
// more than there are places is of no use.
const maxWakes = 1024

func newUpgrades(reader client.Reader, limit int) *upgrades {
	return &upgrades{
		client: reader, limit: limit, wake: make(chan event.GenericEvent, maxWakes),
		waiting: waitingList{in: map[client.ObjectKey]bool{}},
	}
}

// choose decides which pod template the pass applies, and notes it in its input
// and observation. The caller calls release after it has applied.
func (u *upgrades) choose(ctx context.Context, p *pass) (release func(), err error) {
	live := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: p.connector.Namespace, Name: children.ConnectorName(p.connector.Name)}
	if err := u.client.Get(ctx, key, live); err != nil {
		return func() {}, client.IgnoreNotFound(err)
	}
	applied := live.Annotations[children.AnnotationTemplate]
	if applied == children.EncodeTemplate(children.PodTemplate(p.input)) {
		p.input.Upgrading = live.Annotations[children.AnnotationUpgrading] == "true" && !status.RolledOut(live)
		return func() {}, nil
	}
	kept, err := children.DecodeTemplate(applied)
	if err != nil || // it is replaced
		applied == "" || changed(p.connector, live) || servesNothing(p.connector, live) {
		return func() {}, nil
	}
	u.mu.Lock()
	admitted, stopped, err := u.admit(ctx)
	if err != nil || !admitted {
		defer u.mu.Unlock()
		p.input.Keep, p.seen.UpdatePending, p.seen.UpgradesStopped = kept, true, stopped
		u.waiting.add(client.ObjectKeyFromObject(p.connector))
		return func() {}, err
	}
	p.input.Upgrading = true
	return u.mu.Unlock, nil
}

// changed reports whether the resource was changed since its workload was made.
func changed(c *v1alpha1.ChannelConnector, live *appsv1.Deployment) bool {
	return live.Annotations[children.AnnotationGeneration] != strconv.FormatInt(c.Generation, 10)
}

// servesNothing reports whether an upgrade can interrupt nothing.
func servesNothing(c *v1alpha1.ChannelConnector, live *appsv1.Deployment) bool {
	return children.Replicas(c) == 0 || live.Status.AvailableReplicas == 0
}

// admit reports whether a place is free, and whether the queue has stopped.
func (u *upgrades) admit(ctx context.Context) (admitted, stopped bool, err error) {
	list := &appsv1.DeploymentList{}
	if err := u.client.List(ctx, list, client.MatchingFields{indexUpgrading: "true"}); err != nil {
		return false, false, fmt.Errorf("list the workloads that are being upgraded: %w", err)
	}
	for i := range list.Items {
		stopped = stopped || status.DeadlineExceeded(&list.Items[i])
	}
	if stopped {
		upgradesStopped.Set(1)
	} else {
		upgradesStopped.Set(0)
	}
	return !stopped && len(list.Items) < u.limit, stopped, nil
}

// proceed tells those that wait that a place may be free. It is called whenever a
// workload is seen that takes none.
func (u *upgrades) proceed(ctx context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	defer func() { upgradesPending.Set(float64(len(u.waiting.order))) }()
	if len(u.waiting.order) == 0 {
		return
	}
	if admitted, _, err := u.admit(ctx); err != nil || !admitted {
		return // whoever takes a place calls again
	}
	next := &v1alpha1.ChannelConnector{}
	key := u.waiting.take()
	next.Namespace, next.Name = key.Namespace, key.Name
	u.wake <- event.GenericEvent{Object: next}
}

// forget is called for a resource that is gone.
func (u *upgrades) forget(ctx context.Context, req ctrl.Request) {
	u.mu.Lock()
	u.waiting.remove(req.NamespacedName)
	u.mu.Unlock()
	u.proceed(ctx)
}

func (w *waitingList) add(key client.ObjectKey) {
	if !w.in[key] {
		w.in[key] = true
		w.order = append(w.order, key)
	}
}

func (w *waitingList) remove(key client.ObjectKey) {
	if !w.in[key] {
		return
	}
	delete(w.in, key)
	for i := range w.order {
		if w.order[i] == key {
			w.order = append(w.order[:i], w.order[i+1:]...)
			return
		}
	}
}

func (w *waitingList) take() client.ObjectKey {
	key := w.order[0]
	w.order = w.order[1:]
	delete(w.in, key)
	return key
}

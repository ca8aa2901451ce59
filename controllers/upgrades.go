package controllers

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// upgrades lets workloads get the pod template of a new version of the operator a
// few at a time. Which workloads are being upgraded stands in the annotations of
// their Deployments, so that a restart of the operator changes nothing; in memory
// there is only who waits, and what the cache may not show yet.
//
// A workload whose turn has not come keeps its template. One whose resource
// changed, or that serves nothing, gets the new template at once and takes no
// place. When an upgraded workload does not come up, nobody's turn comes until it
// does, or until its resource changes or goes.
type upgrades struct {
	reconciler *Reconciler
	limit      int
	// wake reconciles a resource whose turn may have come.
	wake chan event.GenericEvent

	mu      sync.Mutex
	waiting waitingList
	// places are those given out since the cache last showed who has one.
	places keys
	// failed are the upgraded ones that did not come up; told says whether those
	// that wait know that there are any.
	failed keys
	told   bool
}

// keys is a set of ChannelConnectors.
type keys map[client.ObjectKey]bool

// maxWakes is how many resources may be told without waiting that their turn may
// have come.
const maxWakes = 1024

func newUpgrades(r *Reconciler, limit int) *upgrades {
	return &upgrades{
		reconciler: r, limit: limit, wake: make(chan event.GenericEvent, maxWakes),
		waiting: waitingList{in: keys{}}, places: keys{}, failed: keys{},
	}
}

// choose decides which pod template the pass applies, and notes it in its input
// and observation.
func (u *upgrades) choose(ctx context.Context, p *pass) error {
	live := p.before
	if live == nil {
		return nil
	}
	applied := live.Annotations[marks.AnnotationTemplate] // its digest, as the cache has it
	hasPlace := live.Annotations[marks.AnnotationUpgrading] == "true" && !status.RolledOut(live)
	switch {
	case changed(p.connector, live):
	case applied == apply.Digest([]byte(children.EncodeTemplate(children.PodTemplate(p.input)))), hasPlace:
		p.input.Upgrading = hasPlace
	case servesNothing(p.connector, live):
	default:
		kept, err := p.appliedTemplate(ctx, live)
		if err != nil {
			return err
		}
		if kept != nil { // one that cannot be read is replaced
			return u.queue(ctx, p, kept)
		}
	}
	key := client.ObjectKeyFromObject(p.connector)
	if u.leave(key); !p.input.Upgrading {
		u.note(key, false)
	}
	return nil
}

// appliedTemplate reads the pod template that a Deployment was applied with, of
// which the cache has only the digest; nil when it cannot be decoded, or when
// the Deployment is gone.
func (p *pass) appliedTemplate(ctx context.Context, d *appsv1.Deployment) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	live := &appsv1.Deployment{}
	if err := p.Live.Get(ctx, client.ObjectKeyFromObject(d), live); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read Deployment %q: %w", d.Name, err)
	}
	template, err := children.DecodeTemplate(live.Annotations[marks.AnnotationTemplate])
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // somebody changed it, and there is nothing to keep
	}
	return template, nil
}

// changed reports whether the resource was changed, or created again, since its
// workload was made.
func changed(c *v1alpha1.ChannelConnector, live *appsv1.Deployment) bool {
	return !metav1.IsControlledBy(live, c) || live.Annotations[marks.AnnotationGeneration] != strconv.FormatInt(c.Generation, 10)
}

// servesNothing reports whether an upgrade can interrupt nothing.
func servesNothing(c *v1alpha1.ChannelConnector, live *appsv1.Deployment) bool {
	return children.Replicas(c) == 0 || live.Status.AvailableReplicas == 0
}

// queue gives the pass's workload a place, or lets it wait with the pod template
// that it has.
func (u *upgrades) queue(ctx context.Context, p *pass, kept *corev1ac.PodTemplateSpecApplyConfiguration) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := client.ObjectKeyFromObject(p.connector)
	taken, err := u.look(ctx)
	if err != nil {
		return err
	}
	if taken[key] || u.free(taken) {
		u.places[key] = true
		u.waiting.remove(key)
		p.input.Upgrading = true
		return nil
	}
	p.input.Keep = kept
	p.seen.UpdatePending, p.seen.UpgradesStopped = true, len(u.failed) > 0
	u.waiting.add(key)
	return nil
}

func (u *upgrades) free(taken keys) bool { return len(u.failed) == 0 && len(taken) < u.limit }

// look returns who has a place: who was given one, and who is seen to be upgraded and
// not done. It notes who of these does not come up.
func (u *upgrades) look(ctx context.Context) (keys, error) {
	upgrading, err := u.upgrading(ctx)
	if err != nil {
		return nil, err
	}
	taken := maps.Clone(u.places)
	for i := range upgrading {
		d := &upgrading[i]
		key := client.ObjectKey{Namespace: d.Namespace, Name: d.Annotations[marks.AnnotationConnector]}
		if status.RolledOut(d) || u.gone(ctx, key) {
			continue
		}
		taken[key] = true
		if status.DeadlineExceeded(d) {
			u.failed[key] = true
		}
	}
	return taken, nil
}

// upgrading returns the workloads that the caches show as being upgraded. What was
// written since is among the places.
func (u *upgrades) upgrading(ctx context.Context) ([]appsv1.Deployment, error) {
	var all []appsv1.Deployment
	for _, scope := range u.reconciler.Namespaces {
		list := &appsv1.DeploymentList{}
		if err := scope.Own.List(ctx, list, client.MatchingFields{indexUpgrading: "true"}, client.DisableReadYourWritesConsistency); err != nil {
			return nil, fmt.Errorf("list the workloads that are being upgraded: %w", err)
		}
		all = append(all, list.Items...)
	}
	return all, nil
}

// gone reports whether a workload's resource is no longer there: its Deployment
// may outlive it for a while, and nobody is told when that ends.
func (u *upgrades) gone(ctx context.Context, key client.ObjectKey) bool {
	c := &v1alpha1.ChannelConnector{}
	err := u.reconciler.in(key.Namespace).Users.Get(ctx, key, c, client.DisableReadYourWritesConsistency)
	return apierrors.IsNotFound(err) || !c.DeletionTimestamp.IsZero()
}

// leave takes a resource's workload out of the queue and its place back, if that
// stands in no Deployment.
func (u *upgrades) leave(key client.ObjectKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting.remove(key)
	delete(u.places, key)
}

// note keeps whether a workload was upgraded and does not come up.
func (u *upgrades) note(key client.ObjectKey, failed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if delete(u.failed, key); failed {
		u.failed[key] = true
	}
}

// forget is called for a resource that is gone, or going.
func (u *upgrades) forget(key client.ObjectKey) {
	u.leave(key)
	u.note(key, false)
}

// proceed is called at the end of every pass. It tells the next one that a place
// is free, and everyone who waits when that begins or ends to be in vain.
func (u *upgrades) proceed(ctx context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for range u.due(ctx) {
		u.tell(ctx, u.waiting.take())
	}
	upgradesPending.Set(float64(len(u.waiting.order)))
	upgradesStopped.Set(float64(min(1, len(u.failed))))
}

// due is how many of those that wait must look again.
func (u *upgrades) due(ctx context.Context) int {
	waiting := len(u.waiting.order)
	if waiting == 0 {
		return 0
	}
	taken, err := u.look(ctx)
	if stopped := len(u.failed) > 0; stopped != u.told {
		u.told = stopped
		return waiting
	}
	if err != nil || !u.free(taken) {
		return 0
	}
	return 1
}

// tell reconciles a resource, which queues up again if its turn has not come.
func (u *upgrades) tell(ctx context.Context, key client.ObjectKey) {
	c := &v1alpha1.ChannelConnector{}
	c.Namespace, c.Name = key.Namespace, key.Name
	select {
	case u.wake <- event.GenericEvent{Object: c}:
	case <-ctx.Done():
	}
}

// waitingList is a queue without repetitions.
type waitingList struct {
	order []client.ObjectKey
	in    keys
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

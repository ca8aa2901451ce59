package controllers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// upgrades let workloads get the pod template of a new version of the operator, a few at a time. A slot is recorded in
// the annotations of the Deployment that has it, so that a restart of the operator changes nothing; memory holds only
// the queue, and the slots that the cache may not show yet.
//
// A workload without a slot keeps its template. If its resource has changed, or if it serves nothing, it gets the new
// template at once and takes no slot. If an upgraded workload does not come up, no other one gets a slot until it does,
// or until its resource changes or goes.
type upgrades struct {
	limit int
	// upgrading returns the workloads that are being upgraded, as the caches show them.
	upgrading func(context.Context) (upgrading, error)
	// wake lets a connector have a pass, in which it asks for a slot.
	wake func(context.Context, client.ObjectKey)
	// passed has a value after a pass has ended.
	passed chan struct{}

	mu sync.Mutex
	// waiting is the queue.
	waiting []client.ObjectKey
	// granted are the slots that no Deployment may show yet.
	granted keys
	// stalled are the upgraded connectors that do not come up, as their pods show.
	stalled keys
	// stopped is what the connectors in the queue were told last.
	stopped bool
}

// keys is a set of ChannelConnectors.
type keys map[client.ObjectKey]bool

// upgrading are connectors that are being upgraded. The value reports whether one does not come up.
type upgrading map[client.ObjectKey]bool

// turns returns which connectors of a queue have their turn, in its order: those that have a slot, and as many others
// as slots are free. It reports as stopped that an upgraded connector does not come up, so that no other one has a
// turn.
func turns(queue []client.ObjectKey, now upgrading, granted keys, limit int) (next []client.ObjectKey, stopped bool) {
	taken := keys{}
	for key, failed := range now {
		taken[key], stopped = true, stopped || failed
	}
	for key := range granted {
		taken[key] = true
	}
	for _, key := range queue {
		if taken[key] || !stopped && len(taken) < limit {
			taken[key] = true
			next = append(next, key)
		}
	}
	return next, stopped
}

func newUpgrades(limit int, list func(context.Context) (upgrading, error), wake func(context.Context, client.ObjectKey)) *upgrades {
	return &upgrades{limit: limit, upgrading: list, wake: wake, passed: make(chan struct{}, 1), granted: keys{}, stalled: keys{}}
}

// ask grants a connector a slot, or puts it into the queue.
func (u *upgrades) ask(ctx context.Context, key client.ObjectKey) (granted, stopped bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	next, stopped, err := u.turns(ctx, []client.ObjectKey{key})
	if err != nil {
		return false, false, err
	}
	switch {
	case len(next) > 0:
		u.remove(key)
		u.granted[key] = true
	case !slices.Contains(u.waiting, key):
		u.waiting = append(u.waiting, key)
	}
	return len(next) > 0, stopped, nil
}

func (u *upgrades) turns(ctx context.Context, queue []client.ObjectKey) (next []client.ObjectKey, stopped bool, err error) {
	now, err := u.upgrading(ctx)
	if err != nil {
		return nil, false, err
	}
	for key, failed := range now {
		now[key] = failed || u.stalled[key]
	}
	next, stopped = turns(queue, now, u.granted, u.limit)
	return next, stopped, nil
}

// leave removes a connector from the queue and releases its slot, unless the slot is already recorded on its
// Deployment.
func (u *upgrades) leave(key client.ObjectKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.remove(key)
	delete(u.granted, key)
}

// note keeps whether an upgraded connector does not come up.
func (u *upgrades) note(key client.ObjectKey, stalled bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if delete(u.stalled, key); stalled {
		u.stalled[key] = true
	}
}

// forget is called for a resource that is gone, or going.
func (u *upgrades) forget(key client.ObjectKey) {
	u.leave(key)
	u.note(key, false)
}

func (u *upgrades) remove(key client.ObjectKey) {
	u.waiting = slices.DeleteFunc(u.waiting, func(k client.ObjectKey) bool { return k == key })
}

// proceed is called at the end of every pass: it may have freed a slot.
func (u *upgrades) proceed() {
	select {
	case u.passed <- struct{}{}:
	default: // the queue is looked at anyway
	}
}

// Start wakes connectors of the queue until ctx ends.
func (u *upgrades) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-u.passed:
			for _, key := range u.due(ctx) {
				u.wake(ctx, key)
			}
		}
	}
}

// due takes connectors out of the queue, into which each comes again if its turn has not come. If a slot is free these
// are the next ones; if a failed upgrade blocks or unblocks the queue they are all, so that they update their
// condition.
func (u *upgrades) due(ctx context.Context) []client.ObjectKey {
	u.mu.Lock()
	defer u.mu.Unlock()
	next, stopped, err := u.turns(ctx, u.waiting)
	if err != nil {
		return nil // the passes say why
	}
	if stopped != u.stopped {
		next, u.stopped = slices.Clone(u.waiting), stopped
	}
	for _, key := range next {
		u.remove(key)
	}
	upgradesPending.Set(float64(len(u.waiting)))
	upgradesStopped.Set(map[bool]float64{true: 1}[stopped])
	return next
}

// turn says which pod template a pass applies. Its zero value is the one that this version of the operator makes,
// because the resource asks for it.
type turn struct {
	// keep is the template that the Deployment has, while the connector waits for its upgrade.
	keep *corev1ac.PodTemplateSpecApplyConfiguration
	// stopped reports whether the upgrade waits for another connector that does not come up.
	stopped bool
	// upgrading reports whether the template is new because the operator is.
	upgrading bool
}

// takeTurn decides whether the pass may upgrade the workload, if that is due.
func (p *pass) takeTurn(ctx context.Context, r rendered) (t turn, err error) {
	live := &appsv1.Deployment{}
	if found, err := p.child(ctx, live); !found || !r.startable {
		return t, err
	}
	applied := live.Annotations[marks.AnnotationTemplate] // its digest, as the cache has it
	hasSlot := live.Annotations[marks.AnnotationUpgrading] == "true" && !status.RolledOut(live)
	switch {
	case changed(r.input.Connector, live):
	case hasSlot, applied == apply.Digest([]byte(children.EncodeTemplate(children.PodTemplate(r.input)))):
		t.upgrading = hasSlot
	case live.Status.AvailableReplicas == 0: // an upgrade can interrupt nothing
	default:
		if t.keep, err = p.appliedTemplate(ctx, live); err != nil {
			return turn{}, err
		}
	}
	if t.keep == nil || children.Replicas(p.connector) == 0 { // once the last pod has ended, an upgrade can interrupt nothing
		p.upgrades.leave(p.key)
		return t, nil
	}
	granted, stopped, err := p.upgrades.ask(ctx, p.key)
	if granted {
		return turn{upgrading: true}, err
	}
	t.stopped = stopped
	return t, err
}

// changed reports whether the resource was changed, or created again, since its workload was made. Its number of pods
// does not matter: it changes no pod.
func changed(c *v1alpha1.ChannelConnector, live *appsv1.Deployment) bool {
	if !metav1.IsControlledBy(live, c) {
		return true
	}
	// Another version of the operator may fill in more, so that the digest of a resource that nobody changed is another
	// one.
	return live.Annotations[marks.AnnotationGeneration] != strconv.FormatInt(c.Generation, 10) &&
		live.Annotations[marks.AnnotationSpec] != children.SpecDigest(c)
}

// appliedTemplate reads the pod template that a Deployment was applied with, of which the cache has only the digest;
// nil when it cannot be decoded, or when the Deployment is gone.
func (p *pass) appliedTemplate(ctx context.Context, d *appsv1.Deployment) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	live := &appsv1.Deployment{}
	if err := p.live.Get(ctx, client.ObjectKeyFromObject(d), live); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read Deployment %q: %w", d.Name, err)
	}
	template, err := children.DecodeTemplate(live.Annotations[marks.AnnotationTemplate])
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // it was changed, and there is nothing to keep
	}
	return template, nil
}

// upgrading returns the workloads that the caches show as being upgraded. A Deployment may outlive its resource for a
// while, and nobody is told when that ends.
func (r *reconciler) upgrading(ctx context.Context) (upgrading, error) {
	now := upgrading{}
	for _, n := range r.watched {
		list := &appsv1.DeploymentList{}
		if err := n.Own.List(ctx, list, client.MatchingFields{indexUpgrading: "true"}, client.DisableReadYourWritesConsistency); err != nil {
			return nil, fmt.Errorf("list the workloads that are being upgraded: %w", err)
		}
		for i := range list.Items {
			d, c := &list.Items[i], &v1alpha1.ChannelConnector{}
			key := client.ObjectKey{Namespace: d.Namespace, Name: d.Annotations[marks.AnnotationConnector]}
			err := r.in(key.Namespace).Users.Get(ctx, key, c, client.DisableReadYourWritesConsistency)
			if !status.RolledOut(d) && !apierrors.IsNotFound(err) && c.DeletionTimestamp.IsZero() {
				now[key] = status.DeadlineExceeded(d)
			}
		}
	}
	return now, nil
}

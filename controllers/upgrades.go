package controllers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/clock"
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
// template at once and takes no slot. An upgraded workload that does not come up in time has no slot any more: see halted
// for which upgrades it stops.
type upgrades struct {
	limit int
	// upgrading returns the workloads that are being upgraded, as the caches show them.
	upgrading func(context.Context) (upgrading, error)
	// wake lets a connector have a pass, in which it asks for a slot.
	wake  func(context.Context, client.ObjectKey)
	clock clock.PassiveClock
	// passed has a value after a pass has ended.
	passed chan struct{}

	mu sync.Mutex
	// waiting is the queue. told are those of it that were told that their upgrades are stopped.
	waiting []client.ObjectKey
	told    keys
	// granted are the slots that no Deployment may show yet.
	granted keys
	// faults are those of upgraded connectors, as their pods show them.
	faults map[client.ObjectKey]status.Fault
	// since is when the upgrade of a resource was first seen under way.
	since map[client.ObjectKey]time.Time
	// proven reports whether a connector has come up with this version's image.
	proven bool
}

const (
	// maxSlot is for how long the upgrade of a resource takes a slot: twice the time in which a Deployment must come up. A
	// tenant can pause a Deployment and resume it, again and again: no second time counts.
	maxSlot = 10 * time.Minute
	// lookForFreeSlots is how often the queue is looked at without a pass.
	lookForFreeSlots = time.Minute
)

func newUpgrades(
	limit int, c clock.PassiveClock, list func(context.Context) (upgrading, error), wake func(context.Context, client.ObjectKey),
) *upgrades {
	return &upgrades{
		limit: limit, clock: c, upgrading: list, wake: wake, passed: make(chan struct{}, 1),
		told: keys{}, granted: keys{}, faults: map[client.ObjectKey]status.Fault{}, since: map[client.ObjectKey]time.Time{},
	}
}

// ask grants a connector a slot, or puts it into the queue.
func (u *upgrades) ask(ctx context.Context, key client.ObjectKey) (granted, stopped bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now, err := u.now(ctx)
	if err != nil {
		return false, false, err
	}
	if !slices.Contains(u.waiting, key) {
		u.waiting = append(u.waiting, key)
	}
	next, halt := turns(u.waiting, now, u.granted, u.limit)
	if granted = slices.Contains(next, key); granted {
		u.grant(key)
	} else {
		u.tell(key, halt.of(key))
	}
	return granted, halt.of(key), nil
}

// grant gives a connector of the queue a slot. The others of its namespace go behind those of all other ones.
func (u *upgrades) grant(key client.ObjectKey) {
	u.remove(key)
	u.granted[key] = true
	var own, others []client.ObjectKey
	for _, k := range u.waiting {
		if k.Namespace == key.Namespace {
			own = append(own, k)
		} else {
			others = append(others, k)
		}
	}
	u.waiting = slices.Concat(others, own)
}

// tell notes what a connector of the queue knows, and reports whether that is new to it.
func (u *upgrades) tell(key client.ObjectKey, stopped bool) (news bool) {
	news = u.told[key] != stopped
	if delete(u.told, key); stopped {
		u.told[key] = true
	}
	return news
}

// now returns the upgrades under way, as the caches and the passes show them.
func (u *upgrades) now(ctx context.Context) (upgrading, error) {
	now, err := u.upgrading(ctx)
	if err != nil {
		return nil, err
	}
	for key, fault := range now {
		if noted := u.faults[key]; noted != status.FaultNone {
			fault = noted
		}
		begun, seen := u.since[key]
		if !seen {
			u.since[key] = u.clock.Now()
		} else if fault == status.FaultNone && u.clock.Since(begun) >= maxSlot {
			fault = status.FaultOwn
		}
		if fault == status.FaultImage {
			fault = map[bool]status.Fault{true: status.FaultOwn, false: status.FaultVersion}[u.proven]
		}
		now[key] = fault
	}
	return now, nil
}

// leave removes a connector from the queue and releases its slot, unless the slot is already recorded on its
// Deployment.
func (u *upgrades) leave(key client.ObjectKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.remove(key)
	delete(u.granted, key)
}

// note keeps why an upgraded connector does not come up.
func (u *upgrades) note(key client.ObjectKey, fault status.Fault) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if delete(u.faults, key); fault != status.FaultNone {
		u.faults[key] = fault
	}
}

// prove notes that a connector has come up with this version's image.
func (u *upgrades) prove() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.proven = true
}

// forget is called for a resource that is gone, or going.
func (u *upgrades) forget(key client.ObjectKey) {
	u.leave(key)
	u.note(key, status.FaultNone)
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.since, key)
}

func (u *upgrades) remove(key client.ObjectKey) {
	u.waiting = slices.DeleteFunc(u.waiting, func(k client.ObjectKey) bool { return k == key })
	delete(u.told, key)
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
	tick := time.NewTicker(lookForFreeSlots)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-u.passed:
		case <-tick.C:
		}
		for _, key := range u.due(ctx) {
			u.wake(ctx, key)
		}
	}
}

// due returns the connectors that are to ask again: those whose turn has come, to which it grants their slots, so that no
// other one is faster; and those that are to update their condition, because failed upgrades stop them or stop them no
// more.
func (u *upgrades) due(ctx context.Context) []client.ObjectKey {
	u.mu.Lock()
	defer u.mu.Unlock()
	now, err := u.now(ctx)
	if err != nil {
		return nil // the passes say why
	}
	due, halt := turns(u.waiting, now, u.granted, u.limit)
	for _, key := range due {
		u.grant(key)
	}
	for _, key := range u.waiting {
		if u.tell(key, halt.of(key)) {
			due = append(due, key)
		}
	}
	u.measure(now, halt)
	return due
}

func (u *upgrades) measure(now upgrading, stopped halt) {
	failed := 0
	for _, fault := range now {
		if fault != status.FaultNone {
			failed++
		}
	}
	upgradesPending.Set(float64(len(u.waiting)))
	upgradesFailed.Set(float64(failed))
	upgradesStopped.Set(map[bool]float64{true: 1}[stopped.everywhere])
}

// turn says which pod template a pass applies. Its zero value is the one that this version of the operator makes,
// because the resource asks for it.
type turn struct {
	// keep is the template that the Deployment has, while the connector waits for its upgrade.
	keep *corev1ac.PodTemplateSpecApplyConfiguration
	// asked reports whether the connector asked for a slot, so that it has one now or stands in the queue.
	asked bool
	// stopped reports whether the upgrade waits for other connectors that do not come up.
	stopped bool
	// upgrading reports whether the template is new because the operator is.
	upgrading bool
	// withhold reports whether there is no template that may be applied.
	withhold bool
}

// takeTurn decides whether the pass may upgrade the workload, if that is due.
func (p *pass) takeTurn(ctx context.Context, r rendered) (t turn, err error) {
	live := &appsv1.Deployment{}
	found, err := p.child(ctx, live)
	switch {
	case err != nil, !r.startable:
		return t, err
	case r.denied != nil:
		if found {
			t.keep, err = p.appliedTemplate(ctx, live)
		}
		t.withhold = t.keep == nil
		return t, err
	case !found:
		return t, nil
	}
	applied := live.Annotations[marks.AnnotationTemplate] // its digest, as the cache has it
	hasSlot := p.hasSlot(live)
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
		return t, nil
	}
	granted, stopped, err := p.upgrades.ask(ctx, p.key)
	if granted {
		return turn{asked: true, upgrading: true}, err
	}
	t.asked, t.stopped = err == nil, stopped
	return t, err
}

// hasSlot reports whether a Deployment shows a slot. A mark that was not there when the last pass upgraded nothing is a
// tenant's own.
func (p *pass) hasSlot(live *appsv1.Deployment) bool {
	return live.Annotations[marks.AnnotationUpgrading] == "true" && !status.RolledOut(live) && !p.kept.idle.Load()
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

// upgrading returns the workloads that the caches show as being upgraded. Each ask for a turn calls it under a lock: it
// copies nothing, and the index leaves out what tenants forge. A Deployment may outlive its resource for a while, and
// nobody is told when that ends.
func (r *reconciler) upgrading(ctx context.Context) (upgrading, error) {
	now := upgrading{}
	for _, n := range r.watched {
		list := &appsv1.DeploymentList{}
		if err := n.Own.List(ctx, list, client.MatchingFields{indexUpgrading: isUpgrading}, client.UnsafeDisableDeepCopy,
			client.DisableReadYourWritesConsistency); err != nil {
			return nil, fmt.Errorf("list the workloads that are being upgraded: %w", err)
		}
		for i := range list.Items {
			d, c := &list.Items[i], &v1alpha1.ChannelConnector{}
			key := client.ObjectKey{Namespace: d.Namespace, Name: d.Annotations[marks.AnnotationConnector]}
			if r.idle(key) {
				continue // a tenant's mark
			}
			err := r.in(key.Namespace).Users.Get(ctx, key, c, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
			if !apierrors.IsNotFound(err) && c.DeletionTimestamp.IsZero() {
				now[key] = map[bool]status.Fault{true: status.FaultVersion}[status.DeadlineExceeded(d)] // until a pass knows better
			}
		}
	}
	return now, nil
}

// idle reports whether the last pass of a resource upgraded nothing. After a restart, nobody knows before its first pass.
func (r *reconciler) idle(key client.ObjectKey) bool {
	known, _ := r.kept.Load(key)
	k, there := known.(*kept)
	return there && k.idle.Load()
}

package controllers

import (
	"context"
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// upgrades let workloads get the pod template of a new version of the operator, a few at a
// time. A slot is recorded in the annotations of the Deployment that has it, so that a restart
// of the operator changes nothing; memory holds only the queue, and the slots that the cache
// may not show yet.
//
// A workload without a slot keeps its template. If its resource has changed, or if it serves
// nothing, it gets the new template at once and takes no slot. If an upgraded workload does not
// come up, no other one gets a slot until it does, or until its resource changes or goes.
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

// upgrading are connectors that are being upgraded. The value says that one does not come up.
type upgrading map[client.ObjectKey]bool

// turns returns which connectors of a queue have their turn, in its order: those that have a
// slot, and as many others as slots are free. It reports as stopped that an upgraded connector
// does not come up, so that no other one has a turn.
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

// leave removes a connector from the queue and releases its slot, unless the slot is already
// recorded on its Deployment.
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

// due takes connectors out of the queue, into which each comes again if its turn has not come.
// If a slot is free these are the next ones; if a failed upgrade blocks or unblocks the queue
// they are all, so that they update their condition.
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

package controllers

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// claims know the ChannelConnectors that claim a thing, such as an address or a Secret, by age. Each event is taken in as
// it comes. An index of the cache takes many times the memory, and would list, and copy, everyone who claims a thing.
//
// Of what only one should have, the answer to a claimant is the same at every pass: the oldest other one. One that comes
// or goes concerns all others if it is the oldest, and only the oldest if it is the next: what a thousand claim costs no
// thousand passes for each.
type claims[K comparable] struct {
	// of returns what a resource claims; nil has no claim.
	of func(client.Object) []K
	// names reports whether any number may claim a thing, so that none concerns another.
	names bool

	mu sync.Mutex
	by map[K][]*claimant
}

// claimant is a ChannelConnector that claims something.
type claimant struct {
	// born is the time of creation, in seconds.
	born int64
	key  client.ObjectKey
}

// byAge orders claimants from the oldest on.
func byAge(a, b *claimant) int {
	return cmp.Or(cmp.Compare(a.born, b.born), strings.Compare(a.key.Namespace, b.key.Namespace), strings.Compare(a.key.Name, b.key.Name))
}

func newClaims[K comparable](of func(client.Object) []K) *claims[K] {
	return &claims[K]{of: of, by: map[K][]*claimant{}}
}

// newNames are claims to what any number may have.
func newNames[K comparable](of func(client.Object) []K) *claims[K] {
	c := newClaims(of)
	c.names = true
	return c
}

func claimantOf(o client.Object) *claimant {
	if o == nil {
		return &claimant{}
	}
	return &claimant{o.GetCreationTimestamp().Unix(), client.ObjectKeyFromObject(o)}
}

// oldest returns the oldest claimant of a thing but a resource itself; nil if there is none.
func (c *claims[K]) oldest(thing K, but client.ObjectKey) *claimant {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.by[thing] {
		if other.key != but {
			return other
		}
	}
	return nil
}

// all returns everyone who claims a thing.
func (c *claims[K]) all(thing K) (all []client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, who := range c.by[thing] {
		all = append(all, who.key)
	}
	return all
}

// change takes in a resource in place of what it was, and returns the others that this concerns. Either is nil while
// there is no such resource.
func (c *claims[K]) change(was, is client.Object) keys {
	if was != nil && is != nil && was.GetUID() == is.GetUID() && was.GetGeneration() == is.GetGeneration() {
		return nil // most changes are the status'
	}
	before, old := claimantOf(was), c.of(was)
	after, now := claimantOf(is), c.of(is)
	same, concerned := *before == *after, keys{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, thing := range old {
		if !same || !slices.Contains(now, thing) {
			c.take(thing, before, concerned)
		}
	}
	for _, thing := range now {
		if !same || !slices.Contains(old, thing) {
			c.give(thing, after, concerned)
		}
	}
	return concerned
}

func (c *claims[K]) take(thing K, who *claimant, concerned keys) {
	all := c.by[thing]
	at, claimed := slices.BinarySearchFunc(all, who, byAge)
	if !claimed {
		return // it was claimed twice
	}
	if all = slices.Delete(all, at, at+1); len(all) == 0 {
		delete(c.by, thing)
	} else {
		c.by[thing] = all
	}
	c.concern(concerned, all, at)
}

func (c *claims[K]) give(thing K, who *claimant, concerned keys) {
	all := c.by[thing]
	at, claimed := slices.BinarySearchFunc(all, who, byAge)
	if claimed {
		return
	}
	c.concern(concerned, all, at)
	c.by[thing] = slices.Insert(all, at, who)
}

// concern adds the others to whom it matters that one comes to a place among them, or goes from it.
func (c *claims[K]) concern(concerned keys, others []*claimant, at int) {
	switch {
	case c.names:
	case at == 0:
		for _, other := range others {
			concerned[other.key] = true
		}
	case at == 1:
		concerned[others[0].key] = true
	}
}

// before takes in what happens to ChannelConnectors before another handler hears of it, and lets those that it concerns
// have a pass. At the start, everyone has one after all are known.
func (c *claims[K]) before(next handler.EventHandler) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(concerned keys, q queue) {
		for key := range concerned {
			q.Add(reconcile.Request{NamespacedName: key})
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			if concerned := c.change(nil, e.Object); !e.IsInInitialList {
				add(concerned, q)
			}
			next.Create(ctx, e, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			add(c.change(e.ObjectOld, e.ObjectNew), q)
			next.Update(ctx, e, q)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			add(c.change(e.Object, nil), q)
			next.Delete(ctx, e, q)
		},
		GenericFunc: next.Generic,
	}
}

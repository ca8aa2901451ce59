package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// census knows the ChannelConnectors of each namespace by age, so that the oldest ones are served and a pass of one that
// is not costs next to nothing.
type census struct {
	// limit is how many are served in a namespace; 0 for all, of which nothing is kept.
	limit int

	mu         sync.Mutex
	namespaces map[string]*residents
	// over is how many are beyond the limit of their namespaces.
	over int
}

// residents are the ChannelConnectors of a namespace.
type residents struct {
	byAge []resident
	born  map[string]int64
}

type resident struct {
	// born is the time of creation, in seconds.
	born int64
	name string
}

func older(a, b resident) int {
	return cmp.Or(cmp.Compare(a.born, b.born), strings.Compare(a.name, b.name))
}

func newCensus(limit int) *census { return &census{limit: limit, namespaces: map[string]*residents{}} }

// add notes a ChannelConnector, or that it was created again.
func (c *census) add(o client.Object) {
	if c.limit == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, now := c.namespaces[o.GetNamespace()], resident{o.GetCreationTimestamp().Unix(), o.GetName()}
	if r == nil {
		r = &residents{born: map[string]int64{}}
		c.namespaces[o.GetNamespace()] = r
	}
	if born, known := r.born[now.name]; known && born == now.born {
		return
	}
	c.take(o.GetNamespace(), now.name)
	at, _ := slices.BinarySearchFunc(r.byAge, now, older)
	r.byAge = slices.Insert(r.byAge, at, now)
	r.born[now.name] = now.born
	c.count(len(r.byAge) > c.limit, 1)
}

// remove forgets a ChannelConnector, and returns the one that is served in its place; empty for none.
func (c *census) remove(o client.Object) (next string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.namespaces[o.GetNamespace()]
	if r == nil || !c.take(o.GetNamespace(), o.GetName()) {
		return ""
	}
	if len(r.byAge) == 0 {
		delete(c.namespaces, o.GetNamespace())
	}
	if len(r.byAge) >= c.limit {
		return r.byAge[c.limit-1].name
	}
	return ""
}

func (c *census) take(namespace, name string) bool {
	r := c.namespaces[namespace]
	born, known := r.born[name]
	if !known {
		return false
	}
	at, _ := slices.BinarySearchFunc(r.byAge, resident{born, name}, older)
	r.byAge = slices.Delete(r.byAge, at, at+1)
	delete(r.born, name)
	c.count(len(r.byAge) >= c.limit, -1)
	return true
}

func (c *census) count(beyond bool, by int) {
	if beyond {
		c.over += by
		connectorsBeyondBound.Set(float64(c.over))
	}
}

// serves reports whether a ChannelConnector is among the oldest of its namespace.
func (c *census) serves(o client.Object) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.namespaces[o.GetNamespace()]
	if r == nil {
		return true
	}
	at, _ := slices.BinarySearchFunc(r.byAge, resident{o.GetCreationTimestamp().Unix(), o.GetName()}, older)
	return at < c.limit
}

// resources lets what happens to a ChannelConnector cause a pass of it, and its deletion one of the resource that is
// served in its place. A change of the status counts as well: it may be another writer's.
func (c *census) resources() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	enqueue := &handler.EnqueueRequestForObject{}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			c.add(e.Object)
			enqueue.Create(ctx, e, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			c.add(e.ObjectNew)
			enqueue.Update(ctx, e, q)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			if next := c.remove(e.Object); next != "" {
				q.Add(reconcile.Request{NamespacedName: client.ObjectKey{Namespace: e.Object.GetNamespace(), Name: next}})
			}
			enqueue.Delete(ctx, e, q)
		},
		GenericFunc: enqueue.Generic,
	}
}

// full is the obstacle that the namespace has as many older resources as are served; nil if it has not. What was served
// before goes on: a lower bound breaks nothing, and its keys can still be revoked.
func (p *pass) full() *status.Obstacle {
	ready := meta.FindStatusCondition(p.connector.Status.Conditions, v1alpha1.ConditionReady)
	if p.census.serves(p.connector) || ready != nil && ready.Reason != status.ReasonNamespaceFull {
		return nil
	}
	return &status.Obstacle{
		Reason: status.ReasonNamespaceFull, Stalled: true,
		Message: fmt.Sprintf("Namespace %q has %d older ChannelConnectors, and the operator serves no more in one namespace "+
			"(--max-connectors-per-namespace): delete one that is not needed, or ask for a higher bound", p.key.Namespace, p.census.limit),
	}
}

package controllers

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// register knows what each ChannelConnector claims. Each event is taken in as it comes. An index of the cache takes many
// times the memory, and would list, and copy, everyone who claims a thing.
type register struct {
	objects   *claims[namedObject]
	addresses *claims[address]
	ownKeys   *claims[ownKey]
	census    *census
}

func newRegister(connectorsPerNamespace int) *register {
	return &register{
		objects: newNames[namedObject](), addresses: newClaims[address](), ownKeys: newClaims[ownKey](),
		census: newCensus(connectorsPerNamespace),
	}
}

// namedObject is a Secret or ConfigMap of a namespace.
type namedObject struct {
	namespace string
	render.Object
}

// claimed is what a ChannelConnector claims.
type claimed struct {
	objects   []namedObject
	addresses []address
	ownKeys   []ownKey
}

// claimedBy is what a ChannelConnector claims; nothing if it is nil. The Secret of the generated API key is among its
// objects: it may have other labels than the operator's.
func claimedBy(o client.Object) (all claimed) {
	c, ok := o.(*v1alpha1.ChannelConnector)
	if !ok {
		return all
	}
	objects, keys := credentials.Named(c)
	objects = append(objects, exposureSecrets(c)...)
	if len(c.Spec.Webhook.APIKeys) == 0 {
		objects = append(objects, render.Object{Kind: render.KindSecret, Name: children.APIKeyName(c.Name)})
	}
	for _, each := range objects {
		all.objects = append(all.objects, namedObject{c.Namespace, each})
	}
	for _, key := range keys {
		all.ownKeys = append(all.ownKeys, ownKey{c.Namespace, key})
	}
	all.addresses = addressesOf(c)
	return all
}

// change takes in a resource in place of what it was, and returns the others that this concerns. Either is nil while
// there is no such resource.
func (r *register) change(was, is client.Object) (concerned keys) {
	if was != nil && is != nil && was.GetUID() == is.GetUID() && was.GetGeneration() == is.GetGeneration() {
		return nil // most changes are the status'
	}
	before, after := claimantOf(was), claimantOf(is)
	old, now, concerned := claimedBy(was), claimedBy(is), keys{}
	r.objects.change(before, after, old.objects, now.objects, concerned)
	r.addresses.change(before, after, old.addresses, now.addresses, concerned)
	r.ownKeys.change(before, after, old.ownKeys, now.ownKeys, concerned)
	r.census.change(before, after, concerned)
	return concerned
}

// handler lets what happens to a ChannelConnector cause a pass of it, and of the others that it concerns. A change of the
// status counts as well: it may be another writer's. At the start, everyone has a pass after all are known.
func (r *register) handler() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	enqueue := &handler.EnqueueRequestForObject{}
	add := func(concerned keys, q queue) {
		for key := range concerned {
			q.Add(reconcile.Request{NamespacedName: key})
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			if concerned := r.change(nil, e.Object); !e.IsInInitialList {
				add(concerned, q)
			}
			enqueue.Create(ctx, e, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			add(r.change(e.ObjectOld, e.ObjectNew), q)
			enqueue.Update(ctx, e, q)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			add(r.change(e.Object, nil), q)
			enqueue.Delete(ctx, e, q)
		},
		GenericFunc: enqueue.Generic,
	}
}

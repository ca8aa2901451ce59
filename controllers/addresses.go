package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// An address is a host and a path outside the cluster. It belongs to the oldest resource that declares it, whether or
// not that one is led any calls, so that the answer is the same at every pass. A resource that comes or goes concerns
// the others only if it is the oldest: an address that a thousand declare costs no thousand passes for each.

// An address is a host and a path under it.
type address struct{ host, path string }

func (a address) String() string { return a.host + a.path }

// addressesOf are the addresses that a resource declares. One that is being deleted declares none.
func addressesOf(o client.Object) (all []address) {
	c, ok := o.(*v1alpha1.ChannelConnector)
	if !ok || c.Spec.Exposure == nil || !c.DeletionTimestamp.IsZero() {
		return nil
	}
	paths := render.Paths(c)
	for _, host := range children.Hosts(c) {
		for _, path := range paths {
			all = append(all, address{host: host, path: path})
		}
	}
	return all
}

// indexedAddresses are the keys under which the cache finds a ChannelConnector by its addresses.
func indexedAddresses(o client.Object) (keys []string) {
	for _, a := range addressesOf(o) {
		keys = append(keys, a.String())
	}
	return keys
}

// taken returns the addresses of the resource that are another one's.
func (p *pass) taken(ctx context.Context) (all []status.Taken, err error) {
	for _, a := range addressesOf(p.connector) {
		others, err := p.declaring(ctx, p.connector, a)
		if err != nil {
			return nil, err
		}
		if len(others) == 0 {
			continue
		}
		if oldest := slices.MinFunc(others, byAge); byAge(oldest, p.connector) < 0 {
			all = append(all, status.Taken{Host: a.host, Path: a.path, By: client.ObjectKeyFromObject(oldest)})
		}
	}
	return all, nil
}

// declaring returns the other resources, of every namespace that is watched, that declare an address.
func (r *reconciler) declaring(
	ctx context.Context, c *v1alpha1.ChannelConnector, a address,
) (others []*v1alpha1.ChannelConnector, err error) {
	for _, place := range slices.Sorted(maps.Keys(r.watched)) {
		all, err := r.connectors(ctx, place, client.MatchingFields{indexAddresses: a.String()})
		if err != nil {
			return nil, fmt.Errorf("list the ChannelConnectors that are exposed at %s: %w", a, err)
		}
		for i := range all {
			if other := &all[i]; other.Name != c.Name || other.Namespace != c.Namespace {
				others = append(others, other)
			}
		}
	}
	return others, nil
}

// connectorsBehind finds the resources that get or lose an address after an older one came, went, or declared others.
func (r *reconciler) connectorsBehind(ctx context.Context, object client.Object) (requests []reconcile.Request) {
	c, ok := object.(*v1alpha1.ChannelConnector)
	if !ok {
		return nil
	}
	for _, a := range addressesOf(c) {
		others, err := r.declaring(ctx, c, a)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot find the ChannelConnectors that share an address", "namespace", c.Namespace, "name", c.Name)
			continue
		}
		if slices.ContainsFunc(others, func(other *v1alpha1.ChannelConnector) bool { return byAge(other, c) < 0 }) {
			continue
		}
		for _, other := range others {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(other)})
		}
	}
	return requests
}

// addressesChanged lets through what connectorsBehind must hear of.
var addressesChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	return !slices.Equal(addressesOf(e.ObjectOld), addressesOf(e.ObjectNew))
}}

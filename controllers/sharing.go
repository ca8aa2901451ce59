package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// Each resource that shares a key is warned with the name of the oldest other one. The warning is the same at every
// pass, and a resource that comes or goes concerns the others only if it is one of the two oldest: a key that a
// thousand share costs no thousand passes for each.

// sharing returns the oldest other ChannelConnectors of the namespace that name any of the same keys.
func (p *pass) sharing(ctx context.Context) ([]v1alpha1.ChannelConnector, error) {
	var others []v1alpha1.ChannelConnector
	for _, key := range credentials.OwnKeys(p.connector) {
		sharers, err := p.sharers(ctx, p.connector, key)
		if err != nil {
			return nil, err
		}
		if len(sharers) > 0 {
			others = append(others, *slices.MinFunc(sharers, byAge))
		}
	}
	slices.SortFunc(others, func(a, b v1alpha1.ChannelConnector) int { return byAge(&a, &b) })
	return others, nil
}

// sharers returns the other ChannelConnectors that name a key.
func (r *reconciler) sharers(
	ctx context.Context, c *v1alpha1.ChannelConnector, key v1alpha1.SecretKeyRef,
) ([]*v1alpha1.ChannelConnector, error) {
	secret := render.Object{Kind: render.KindSecret, Name: key.Name}
	all, err := r.connectors(ctx, c.Namespace, client.MatchingFields{indexObjects: secret.String()})
	if err != nil {
		return nil, fmt.Errorf("list the ChannelConnectors that share a Secret's key: %w", err)
	}
	var sharers []*v1alpha1.ChannelConnector
	for i := range all {
		if other := &all[i]; other.Name != c.Name && slices.Contains(credentials.OwnKeys(other), key) {
			sharers = append(sharers, other)
		}
	}
	return sharers, nil
}

// byAge orders resources from the oldest on.
func byAge(a, b *v1alpha1.ChannelConnector) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// connectorsSharing finds the resources whose warning may change after another resource came, went, or named other
// keys.
func (r *reconciler) connectorsSharing(ctx context.Context, object client.Object) []reconcile.Request {
	c, ok := object.(*v1alpha1.ChannelConnector)
	if !ok {
		return nil
	}
	var requests []reconcile.Request
	for _, key := range credentials.OwnKeys(c) {
		sharers, err := r.sharers(ctx, c, key)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot find the ChannelConnectors that share a key", "namespace", c.Namespace, "name", c.Name)
			continue
		}
		for _, sharer := range concerned(c, sharers) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(sharer)})
		}
	}
	return requests
}

// concerned returns the sharers that name a resource in their warning.
func concerned(c *v1alpha1.ChannelConnector, sharers []*v1alpha1.ChannelConnector) []*v1alpha1.ChannelConnector {
	older := slices.DeleteFunc(slices.Clone(sharers), func(sharer *v1alpha1.ChannelConnector) bool { return byAge(sharer, c) > 0 })
	switch len(older) {
	case 0:
		return sharers
	case 1:
		return older
	}
	return nil
}

// keysChanged lets through what connectorsSharing must hear of.
var keysChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	return !slices.Equal(ownKeysOf(e.ObjectOld), ownKeysOf(e.ObjectNew))
}}

func ownKeysOf(o client.Object) []v1alpha1.SecretKeyRef {
	if c, ok := o.(*v1alpha1.ChannelConnector); ok {
		return credentials.OwnKeys(c)
	}
	return nil
}

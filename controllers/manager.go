package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// Options are what the operator is started with.
type Options struct {
	// Image is the connector's container image.
	Image string
	// Namespaces limits what is watched; empty is all of them.
	Namespaces []string
	// MaxConcurrentReconciles is the number of resources reconciled at a time.
	MaxConcurrentReconciles int
	// MaxConcurrentUpgrades is the number of workloads upgraded at a time after
	// the operator has changed.
	MaxConcurrentUpgrades int
}

// NewScheme returns the scheme of everything that the operator reads or writes.
func NewScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := scheme.AddToScheme(s); err != nil {
		return nil, err
	}
	return s, v1alpha1.AddToScheme(s)
}

// ManagerOptions are the parts of a manager's options that Add relies on.
func (o Options) ManagerOptions() (ctrl.Options, error) {
	s, err := NewScheme()
	if err != nil {
		return ctrl.Options{}, err
	}
	// The manager's own cluster is that of the first scope.
	return ctrl.Options{Scheme: s, Cache: CacheOptions(o.namespaces()[0]), Client: readsItsWrites()}, nil
}

// namespaces are those of the scopes.
func (o Options) namespaces() []string {
	if len(o.Namespaces) == 0 {
		return []string{metav1.NamespaceAll}
	}
	return o.Namespaces
}

// Add adds the controller to a manager that was made with ManagerOptions.
func (o Options) Add(ctx context.Context, mgr ctrl.Manager) error {
	scopes, err := o.scopes(mgr)
	if err != nil {
		return err
	}
	r := &Reconciler{
		Scopes:                scopes,
		Live:                  mgr.GetAPIReader(),
		Recorder:              mgr.GetEventRecorder("channel-connector-operator"),
		Clock:                 clock.RealClock{},
		Image:                 o.Image,
		MaxConcurrentUpgrades: o.MaxConcurrentUpgrades,
	}
	return r.SetupWithManager(ctx, mgr, o.MaxConcurrentReconciles)
}

func (o Options) scopes(mgr ctrl.Manager) (map[string]*Scope, error) {
	scopes := map[string]*Scope{}
	for i, namespace := range o.namespaces() {
		if scopes[namespace] != nil {
			continue // named twice
		}
		objects := cluster.Cluster(mgr)
		if i > 0 {
			var err error
			if objects, err = newCluster(mgr, CacheOptions(namespace)); err != nil {
				return nil, fmt.Errorf("make the cache of namespace %q: %w", namespace, err)
			}
		}
		scope, err := newScope(mgr, namespace, objects)
		if err != nil {
			return nil, err
		}
		scopes[namespace] = scope
	}
	return scopes, nil
}

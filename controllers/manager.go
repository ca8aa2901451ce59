package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	return ctrl.Options{
		Scheme: s,
		Cache:  CacheOptions(o.Namespaces),
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
	}, nil
}

// Add adds the controller to a manager that was made with ManagerOptions.
func (o Options) Add(ctx context.Context, mgr ctrl.Manager) error {
	ownSecrets := OwnSecretsCacheOptions(o.Namespaces)
	ownSecrets.Scheme, ownSecrets.Mapper, ownSecrets.HTTPClient = mgr.GetScheme(), mgr.GetRESTMapper(), mgr.GetHTTPClient()
	secrets, err := cache.New(mgr.GetConfig(), ownSecrets)
	if err != nil {
		return fmt.Errorf("make the cache of the operator's own Secrets: %w", err)
	}
	if err := mgr.Add(secrets); err != nil {
		return err
	}
	secretsClient, err := client.New(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		Cache: &client.CacheOptions{Reader: secrets, EnableReadYourWritesConsistency: new(true)},
	})
	if err != nil {
		return fmt.Errorf("make the client of the operator's own Secrets: %w", err)
	}
	r := &Reconciler{
		Client:                mgr.GetClient(),
		OwnSecrets:            secretsClient,
		Live:                  mgr.GetAPIReader(),
		Recorder:              mgr.GetEventRecorder("channel-connector-operator"),
		Clock:                 clock.RealClock{},
		Image:                 o.Image,
		MaxConcurrentUpgrades: o.MaxConcurrentUpgrades,
	}
	return r.SetupWithManager(ctx, mgr, secrets, o.MaxConcurrentReconciles)
}

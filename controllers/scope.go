package controllers

import (
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
)

// Scope is one namespace as the operator sees it, or all of them. Each has caches
// and clients of its own: a client waits until its cache has an object as young as
// what it wrote, and several namespaces are watched separately, so that a young
// object of one tells nothing of another.
type Scope struct {
	// Client reads from a cache made with CacheOptions, in which all objects but
	// ChannelConnectors are those with the operator's labels, and reads its own
	// writes.
	Client client.Client
	// OwnSecrets is the same for Secrets with their data, or its digests, of which
	// the operator caches its own only.
	OwnSecrets client.Client

	objects, ownSecrets cluster.Cluster
}

// in returns the scope of a namespace.
func (r *Reconciler) in(namespace string) *Scope {
	if scope, ok := r.Scopes[namespace]; ok {
		return scope
	}
	return r.Scopes[metav1.NamespaceAll]
}

// newScope makes a scope that the manager runs, around a cluster for its objects.
func newScope(mgr ctrl.Manager, namespace string, objects cluster.Cluster) (*Scope, error) {
	ownSecrets, err := newCluster(mgr, OwnSecretsCacheOptions(namespace))
	if err != nil {
		return nil, fmt.Errorf("make the cache of the operator's own Secrets: %w", err)
	}
	return &Scope{
		Client: objects.GetClient(), OwnSecrets: ownSecrets.GetClient(),
		objects: objects, ownSecrets: ownSecrets,
	}, nil
}

// newCluster makes another way to the manager's API server, with a cache of its
// own.
func newCluster(mgr ctrl.Manager, options cache.Options) (cluster.Cluster, error) {
	c, err := cluster.New(mgr.GetConfig(), func(o *cluster.Options) {
		o.Scheme, o.HTTPClient, o.Logger = mgr.GetScheme(), mgr.GetHTTPClient(), mgr.GetLogger()
		o.MapperProvider = func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return mgr.GetRESTMapper(), nil }
		o.Cache, o.Client = options, readsItsWrites()
	})
	if err != nil {
		return nil, err
	}
	return c, mgr.Add(c)
}

func readsItsWrites() client.Options {
	return client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}}
}

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

// Namespace is one namespace as the operator sees it, or all of them. Each has caches and
// clients of its own, which read their own writes: such a client waits until its cache has
// an object as young as its last write, and a young object of one namespace says nothing
// about another.
type Namespace struct {
	// Users reads what users write: ChannelConnectors, and Secrets without their data.
	Users client.Client
	// Own reads what has the operator's labels: children, and their pods. Secrets have their
	// data, or its digests.
	Own client.Client

	users, own cluster.Cluster
}

// in returns a namespace.
func (r *Reconciler) in(name string) *Namespace {
	if n, ok := r.Namespaces[name]; ok {
		return n
	}
	return r.Namespaces[metav1.NamespaceAll]
}

// newNamespace makes a namespace that the manager runs, around a cluster for what users
// write.
func newNamespace(mgr ctrl.Manager, name string, users cluster.Cluster) (*Namespace, error) {
	own, err := newCluster(mgr, ownCacheOptions(name))
	if err != nil {
		return nil, fmt.Errorf("make the cache of the operator's own objects: %w", err)
	}
	return &Namespace{Users: users.GetClient(), Own: own.GetClient(), users: users, own: own}, nil
}

// newCluster makes another way to the manager's API server, with a cache of its own.
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
	return client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true), Unstructured: true}}
}

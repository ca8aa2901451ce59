package controllers

import (
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// namespace is one namespace as the operator sees it, or all of them. Each has caches and clients of its own, which
// read their own writes: such a client waits until its cache has an object as young as its last write, and a young
// object of one namespace says nothing about another.
type namespace struct {
	// place is its name; metav1.NamespaceAll is all of them.
	place string
	// Users reads what users write: ChannelConnectors, and the metadata of every Secret and ConfigMap.
	Users client.Client
	// Own reads what has the operator's labels: children other than Secrets, and their pods.
	Own client.Client

	users, own cluster.Cluster
}

// in returns a namespace.
func (r *reconciler) in(name string) *namespace {
	if n, ok := r.watched[name]; ok {
		return n
	}
	return r.watched[metav1.NamespaceAll]
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

// cacheOptions are those of the cache of what users write. namespace limits what is watched; empty is all of them.
//
// The caches are filled by streaming lists, of which the transform sees one object at a time: an API server that has
// those (Kubernetes 1.34) never lets the operator hold more of a list than what the transform leaves.
func cacheOptions(namespace string) cache.Options {
	o := cache.Options{DefaultTransform: slimAndCut}
	if namespace != metav1.NamespaceAll {
		o.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	}
	return o
}

// ownCacheOptions are those of the cache of the operator's own objects. It is another one since a cache has one
// selector for each kind, and users' Secrets have no label.
func ownCacheOptions(namespace string) cache.Options {
	o := cacheOptions(namespace)
	o.DefaultLabelSelector = labels.SelectorFromSet(labels.Set{marks.LabelManagedBy: marks.ManagedBy})
	return o
}

package controllers

import (
	"net/http"
	"unique"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// namespace is one namespace as the operator sees it, or all of them. Each has caches and clients of its own, which
// read their own writes: such a client waits until its cache has an object as young as its last write, and a young
// object of one namespace says nothing about another.
type namespace struct {
	// Users reads what users write: ChannelConnectors, and Secrets and ConfigMaps without their data.
	Users client.Client
	// Own reads what has the operator's labels: children, and their pods. Secrets have their data, or its digests.
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
func cacheOptions(namespace string) cache.Options {
	o := cache.Options{DefaultTransform: slim}
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

// slim drops the fields of an object that the operator never reads. The cache is most of its memory.
func slim(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod: // who it is, where, and how it does
		o.Spec = corev1.PodSpec{NodeName: shared(o.Spec.NodeName), Volumes: children.EmptyDirs(o)}
		slimStatus(&o.Status)
	case *v1alpha1.ChannelConnector: // most of them say the same of themselves
		for i := range o.Status.Conditions {
			c := &o.Status.Conditions[i]
			c.Type, c.Reason, c.Message = shared(c.Type), shared(c.Reason), shared(c.Message)
		}
	case *metav1.PartialObjectMetadata: // a user's Secret or ConfigMap: that it is there, and which version
		o.Labels, o.Annotations, o.OwnerReferences = nil, nil, nil
	}
	if o, ok := object.(client.Object); ok {
		o.SetManagedFields(nil)
		shareStrings(o)
	}
	return apply.Compact(object)
}

// slimStatus drops the fields of a pod's status that the operator never reads.
func slimStatus(s *corev1.PodStatus) {
	*s = corev1.PodStatus{
		Phase: s.Phase, Reason: s.Reason, Message: s.Message, PodIP: s.PodIP, Conditions: s.Conditions,
		InitContainerStatuses: s.InitContainerStatuses, ContainerStatuses: s.ContainerStatuses,
	}
	for _, containers := range [][]corev1.ContainerStatus{s.InitContainerStatuses, s.ContainerStatuses} {
		for i := range containers {
			c := &containers[i]
			*c = corev1.ContainerStatus{
				Name: shared(c.Name), State: c.State, LastTerminationState: c.LastTerminationState,
				Ready: c.Ready, RestartCount: c.RestartCount, Image: shared(c.Image),
			}
		}
	}
}

// shareStrings keeps one copy of the strings that a resource and its children have in common, such as names, labels and
// owners.
func shareStrings(o client.Object) {
	o.SetNamespace(shared(o.GetNamespace()))
	o.SetName(shared(o.GetName()))
	o.SetLabels(sharedMap(o.GetLabels()))
	o.SetAnnotations(sharedMap(o.GetAnnotations()))
	owners := o.GetOwnerReferences()
	for i := range owners {
		owner := &owners[i]
		owner.APIVersion, owner.Kind, owner.Name = shared(owner.APIVersion), shared(owner.Kind), shared(owner.Name)
		owner.UID = types.UID(shared(string(owner.UID)))
	}
	o.SetOwnerReferences(owners)
}

func sharedMap(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	copied := make(map[string]string, len(m))
	for key, value := range m {
		copied[shared(key)] = shared(value)
	}
	return copied
}

func shared(s string) string { return unique.Make(s).Value() }

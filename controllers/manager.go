package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

// Options are what the operator is started with.
type Options struct {
	// Image is the connector's container image.
	Image string
	// OperatorNamespace has the operator's own pods; empty outside a cluster.
	OperatorNamespace string
	// Namespaces limits what is watched; empty is all of them.
	Namespaces []string
	// MaxConcurrentReconciles is the number of resources reconciled at a time.
	MaxConcurrentReconciles int
	// MaxConcurrentUpgrades is the number of workloads upgraded at a time after the operator has changed.
	MaxConcurrentUpgrades int
	// MaxConnectorsPerNamespace is how many resources are served in a namespace, the oldest ones; 0 is all.
	MaxConnectorsPerNamespace int
	// PlatformAPIs are the addresses of platforms' APIs, by the types of channels, in place of their own.
	PlatformAPIs map[string]string
	// Allowed limits what resources may declare of their pods.
	Allowed Allowed
	// ReportInterval is how often each connector is asked for its report. Default: 100 s.
	ReportInterval time.Duration
	// Kinds are the kinds of children. Default: children.Kinds.
	Kinds []children.Kind
	// Clock tells the time. Default: the machine's.
	Clock clock.PassiveClock
}

// NewScheme returns the scheme of everything that the operator reads or writes.
func NewScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := scheme.AddToScheme(s); err != nil {
		return nil, err
	}
	return s, errors.Join(v1alpha1.AddToScheme(s), gatewayv1.Install(s))
}

// ManagerOptions are the parts of a manager's options that Add relies on.
func (o Options) ManagerOptions() (ctrl.Options, error) {
	s, err := NewScheme()
	if err != nil {
		return ctrl.Options{}, err
	}
	// The manager's own cluster is that of the first namespace.
	return ctrl.Options{Scheme: s, Cache: cacheOptions(o.namespaces()[0]), Client: readsItsWrites()}, nil
}

// namespaces are the names of what is watched.
func (o Options) namespaces() []string {
	if len(o.Namespaces) == 0 {
		return []string{metav1.NamespaceAll}
	}
	return o.Namespaces
}

// mayWatch returns an error if the operator can do nothing, not even write a condition: if it has no permission in a
// namespace, or if the cluster lacks the definition. Other failures pass.
func (o Options) mayWatch(ctx context.Context, live client.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, permissionTimeout)
	defer cancel()
	var refused []error
	for _, namespace := range o.namespaces() {
		err := live.List(ctx, &v1alpha1.ChannelConnectorList{}, client.InNamespace(namespace), client.Limit(1))
		if meta.IsNoMatchError(err) {
			return fmt.Errorf("the cluster has no CustomResourceDefinition of the ChannelConnector: apply the one of the operator's version, its "+
				"config/crd, or use its Helm chart with crds.enabled: %w", err)
		}
		if apierrors.IsForbidden(err) {
			name, remedy := place(namespace)
			refused = append(refused, fmt.Errorf("no permission in %s: %w: %s", name, err, remedy))
		}
	}
	return errors.Join(refused...)
}

// permissionTimeout bounds mayWatch if the API server hangs.
const permissionTimeout = 10 * time.Second

// place names a namespace, and says how the operator gets its rights there.
func place(namespace string) (name, remedy string) {
	if namespace == metav1.NamespaceAll {
		return "the cluster",
			"bind the ClusterRole of config/rbac to the operator's ServiceAccount (Helm: rbac.create), or name the namespaces " +
				"to watch in --watch-namespaces"
	}
	return fmt.Sprintf("namespace %q", namespace),
		"bind the operator's rights there to its ServiceAccount, as config/namespaced does (Helm: " +
			"watchNamespaces with rbac.create), or leave the namespace out of --watch-namespaces"
}

// caches makes the caches of each namespace. Those of what users write in the first one are the manager's own.
func (o Options) caches(mgr ctrl.Manager) (map[string]*namespace, error) {
	watched := map[string]*namespace{}
	for i, name := range o.namespaces() {
		if watched[name] != nil {
			continue // named twice
		}
		users := cluster.Cluster(mgr)
		own, err := newCluster(mgr, ownCacheOptions(name))
		if i > 0 && err == nil {
			users, err = newCluster(mgr, cacheOptions(name))
		}
		if err != nil {
			return nil, fmt.Errorf("make the caches of namespace %q: %w", name, err)
		}
		watched[name] = &namespace{
			place: name, Users: users.GetClient(), Own: whole{own.GetClient(), mgr.GetAPIReader()}, users: users, own: own,
		}
	}
	return watched, nil
}

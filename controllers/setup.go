package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/registration"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// The indexes of the cache.
const (
	// indexInstance finds pods, and ChannelConnectors of another name, by children.Instance.
	indexInstance = "instance"
	// indexUpgrading finds Deployments that are being upgraded.
	indexUpgrading = "upgrading"
	// isUpgrading is what that index has of one, as marks.AnnotationUpgrading has.
	isUpgrading = "true"
)

const (
	// minBackoff and maxBackoff bound the wait after a failed pass.
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Minute
	// passTimeout ends a pass that waits for an API server, or for a cache, that hangs.
	passTimeout = 2 * time.Minute
)

//go:generate go tool -modfile=../tools/operator/go.mod controller-gen rbac:roleName=channel-connector-operator paths=. paths=./children output:rbac:dir=../config/rbac
//go:generate cp ../config/rbac/role.yaml ../config/rbac/leader_election.yaml ../config/rbac/metrics.yaml ../config/rbac/channelconnector_roles.yaml ../charts/channel-connector/files/
//go:generate cp ../config/policy/author_policy.yaml ../charts/channel-connector/files/

// +kubebuilder:rbac:groups=xbot.a4b.vn,resources=channelconnectors,verbs=get;list;watch
// +kubebuilder:rbac:groups=xbot.a4b.vn,resources=channelconnectors/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=xbot.a4b.vn,resources=channelconnectors/finalizers,verbs=update
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=list;create;patch

// Add adds the controller to a manager that was made with ManagerOptions.
func (o Options) Add(ctx context.Context, mgr ctrl.Manager) error {
	if err := o.mayWatch(ctx, mgr.GetAPIReader()); err != nil {
		return err
	}
	r, err := o.reconciler(mgr)
	if err != nil {
		return err
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named("channelconnector").
		WatchesRawSource(source.Channel(r.woken, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: o.MaxConcurrentReconciles,
			ReconciliationTimeout:   passTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](minBackoff, maxBackoff),
		})
	for _, n := range r.watched {
		if err := index(ctx, n); err != nil {
			return err
		}
		r.watch(b, n)
	}
	c, err := b.Build(r)
	if err != nil {
		return err
	}
	r.kinds = newKinds(mgr.GetLogger(), r.Kinds, slices.Sorted(maps.Keys(r.watched)))
	r.kinds.wake = r.wakeAll
	r.kinds.serves = func(ctx context.Context, in string, kind children.Kind) error {
		return r.mayList(ctx, mgr.GetScheme(), in, kind)
	}
	r.kinds.watch = func(in string, kind children.Kind) error { return c.Watch(r.childrenOf(r.watched[in], kind)) }
	return errors.Join(mgr.Add(r.upgrades), mgr.Add(r.traffic), mgr.Add(r.registrar), mgr.Add(r.definition), mgr.Add(r.kinds))
}

func (o Options) reconciler(mgr ctrl.Manager) (*reconciler, error) {
	o.Clock, o.ReportInterval = cmp.Or[clock.PassiveClock](o.Clock, clock.RealClock{}), cmp.Or(o.ReportInterval, traffic.DefaultInterval)
	if o.Kinds == nil {
		o.Kinds = children.Kinds
	}
	r := &reconciler{
		Options: o, live: mgr.GetAPIReader(), recorder: mgr.GetEventRecorder("channel-connector-operator"),
		contests: apply.NewContests(o.Clock), gateways: newGateways(mgr.GetAPIReader(), o.Clock),
		register: newRegister(o.MaxConnectorsPerNamespace), woken: make(chan event.GenericEvent, maxWoken),
	}
	r.upgrades = newUpgrades(o.MaxConcurrentUpgrades, o.Clock, r.upgrading, r.wake)
	r.traffic = traffic.New(traffic.Options{Find: r.reporting, Wake: r.wake, Clock: o.Clock, Interval: o.ReportInterval})
	r.registrar = registration.New(registration.Options{
		Wake: r.wake, Count: func(result string) { registrations.WithLabelValues(result).Inc() },
	})
	var err error
	if r.watched, err = o.caches(mgr); err != nil {
		return nil, err
	}
	r.definition, err = newDefinition(mgr, r.wakeAll)
	return r, err
}

// watch lets what happens in a namespace cause passes.
func (r *reconciler) watch(b *builder.Builder, n *namespace) {
	on := func(in cluster.Cluster, object client.Object, handler handler.EventHandler) {
		b.WatchesRawSource(source.Kind(in.GetCache(), object, handler))
	}
	on(n.users, &v1alpha1.ChannelConnector{}, r.handler())
	for _, kind := range []render.Kind{render.KindSecret, render.KindConfigMap} {
		object := metadataOf(corev1.SchemeGroupVersion.WithKind(string(kind)))
		on(n.users, object, handler.EnqueueRequestsFromMapFunc(r.connectorsNaming(kind)))
	}
	for _, kind := range r.Kinds {
		if !kind.Optional {
			b.WatchesRawSource(r.childrenOf(n, kind))
		}
	}
	on(n.own, &corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.connectorsOfChild))
}

// childrenOf is what happens to a namespace's objects of a kind that have the operator's labels.
func (r *reconciler) childrenOf(n *namespace, kind children.Kind) source.Source {
	in, object := n.own, kind.New()
	if kind.Private {
		gvk, err := apiutil.GVKForObject(object, n.users.GetScheme())
		if err != nil {
			panic("a kind of child is not in the scheme: " + err.Error())
		}
		in, object = n.users, metadataOf(gvk)
	}
	return source.Kind(in.GetCache(), object, handler.EnqueueRequestsFromMapFunc(r.connectorsOfChild))
}

// metadataOf is an object of a kind of which only the metadata is cached.
func metadataOf(kind schema.GroupVersionKind) client.Object {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	return object
}

// mayList returns an error unless the cluster serves a kind of child and the operator may list it in a namespace.
func (r *reconciler) mayList(ctx context.Context, scheme *runtime.Scheme, namespace string, kind children.Kind) error {
	ctx, cancel := context.WithTimeout(ctx, permissionTimeout)
	defer cancel()
	gvk, err := apiutil.GVKForObject(kind.New(), scheme)
	if err != nil {
		return err
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk)
	return r.live.List(ctx, list, client.InNamespace(namespace), client.Limit(1))
}

func index(ctx context.Context, n *namespace) error {
	for _, i := range []struct {
		in     cluster.Cluster
		object client.Object
		field  string
		values client.IndexerFunc
	}{
		{n.users, &v1alpha1.ChannelConnector{}, indexInstance, otherInstance},
		{n.own, &corev1.Pod{}, indexInstance, func(o client.Object) []string { return []string{o.GetLabels()[marks.LabelConnector]} }},
		{n.own, &appsv1.Deployment{}, indexUpgrading, upgradingOf},
	} {
		if err := i.in.GetFieldIndexer().IndexField(ctx, i.object, i.field, i.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.object, i.field, err)
		}
	}
	return nil
}

// otherInstance is empty for the many resources whose name is that of the instance: what stands in an index weighs as
// much as a child.
func otherInstance(o client.Object) []string {
	if instance := children.Instance(o.GetName()); instance != o.GetName() {
		return []string{instance}
	}
	return nil
}

// upgradingOf is empty for the many Deployments that are not being upgraded, and for those that a tenant has marked: what
// it finds is looked at each time that a connector asks for its turn. Nor is one being upgraded that somebody paused,
// whose pods stay as they are.
func upgradingOf(o client.Object) []string {
	d, ok := o.(*appsv1.Deployment)
	if !ok || d.Annotations[marks.AnnotationUpgrading] != isUpgrading || d.Spec.Paused || status.RolledOut(d) {
		return nil
	}
	c := &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{Name: d.Annotations[marks.AnnotationConnector]}}
	if c.Name == "" || d.Name != children.ConnectorName(c.Name) || metav1.GetControllerOfNoCopy(d) == nil || !apply.Belongs(d, c) {
		return nil
	}
	return []string{isUpgrading}
}

// connectorsOfChild finds the resource of a child by the child's label, which is the resource's name unless the index
// says otherwise. If there is no such resource, its pass does nothing.
func (r *reconciler) connectorsOfChild(ctx context.Context, child client.Object) []reconcile.Request {
	namespace, instance := child.GetNamespace(), child.GetLabels()[marks.LabelConnector]
	if instance == "" {
		return nil
	}
	return append(r.requests(ctx, namespace, client.MatchingFields{indexInstance: instance}),
		reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: instance}})
}

// connectorsNaming finds the resources that name an object of a kind.
func (r *reconciler) connectorsNaming(kind render.Kind) handler.MapFunc {
	return func(_ context.Context, o client.Object) (requests []reconcile.Request) {
		for _, key := range r.objects.all(namedObject{o.GetNamespace(), render.Object{Kind: kind, Name: o.GetName()}}) {
			requests = append(requests, reconcile.Request{NamespacedName: key})
		}
		return requests
	}
}

// requests finds ChannelConnectors of a namespace.
func (r *reconciler) requests(ctx context.Context, namespace string, which ...client.ListOption) []reconcile.Request {
	all, err := r.connectors(ctx, namespace, which...)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list the ChannelConnectors", "namespace", namespace)
	}
	requests := make([]reconcile.Request, len(all))
	for i := range all {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&all[i])
	}
	return requests
}

// connectors lists ChannelConnectors of a namespace. They are the cache's own, and must not be changed. No write of the
// operator matters here, so that the cache may be behind them.
func (r *reconciler) connectors(ctx context.Context, namespace string, which ...client.ListOption) ([]v1alpha1.ChannelConnector, error) {
	list := &v1alpha1.ChannelConnectorList{}
	err := r.in(namespace).Users.List(ctx, list, append(which,
		client.InNamespace(namespace), client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)...)
	return list.Items, err
}

// reporting returns what is needed to ask a connector for its report. The objects are the cache's own: they must not be
// changed.
func (r *reconciler) reporting(ctx context.Context, key client.ObjectKey) (t traffic.Target, err error) {
	n, connector, pods := r.in(key.Namespace), &v1alpha1.ChannelConnector{}, &corev1.PodList{}
	if err := n.Users.Get(ctx, key, connector, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		return t, client.IgnoreNotFound(err)
	}
	// The operator's own writes do not matter here, so that the cache may be behind them.
	err = n.Own.List(ctx, pods, client.InNamespace(key.Namespace), client.MatchingFields{indexInstance: children.Instance(key.Name)},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	return traffic.Target{Connector: connector, Channel: render.ChannelName(connector), Pods: pods.Items, Token: r.reportToken(key)}, err
}

// reportToken is the token of a connector's report, as its last pass saw it; empty if there is none.
func (r *reconciler) reportToken(key client.ObjectKey) string {
	if known, there := r.kept.Load(key); there {
		if k, ok := known.(*kept); ok {
			return ptr.Deref(k.reportToken.Load(), "")
		}
	}
	return ""
}

package controllers

import (
	"context"
	"reflect"
	"slices"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// slimAndCut is the transform of the caches. A list that is streamed goes through it twice.
func slimAndCut(object any) (any, error) {
	if c, ok := object.(*v1alpha1.ChannelConnector); ok && isCut(c) {
		return object, nil
	}
	object, err := slim(object)
	if o, ok := object.(client.Object); ok && err == nil {
		return cut(o), nil
	}
	return object, err
}

// maxCached bounds what the caches hold of an object with the operator's labels, in bytes: anybody may label objects of
// his own, up to 1.5 MiB each. A child has some 3 KiB, and one whose pod template others changed 12 KiB.
const maxCached = 32 << 10

// cutMark is an annotation of an object in the cache of which only the identity is left, or of a ChannelConnector its core.
const cutMark = marks.Domain + "cut"

// cut replaces an object that is too large for the cache by its identity.
func cut(o client.Object) client.Object {
	if c, resource := o.(*v1alpha1.ChannelConnector); resource {
		return cutResource(c)
	}
	if apply.Size(o) <= maxCached {
		return o
	}
	return identity(o)
}

func identity(o client.Object) client.Object {
	left, _ := reflect.TypeAssert[client.Object](reflect.New(reflect.TypeOf(o).Elem()))
	left.GetObjectKind().SetGroupVersionKind(o.GetObjectKind().GroupVersionKind())
	left.SetNamespace(o.GetNamespace())
	left.SetName(o.GetName())
	left.SetUID(o.GetUID())
	left.SetResourceVersion(o.GetResourceVersion())
	left.SetCreationTimestamp(o.GetCreationTimestamp())
	left.SetDeletionTimestamp(o.GetDeletionTimestamp())
	left.SetLabels(ours(o.GetLabels()))
	annotations := ours(o.GetAnnotations())
	annotations[cutMark] = ""
	left.SetAnnotations(annotations)
	return left
}

// whole reads an object from the API server if the cache has only its identity.
type whole struct {
	client.Client
	live client.Reader
}

// Get reads an object as slim leaves it.
func (w whole) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	err := w.Client.Get(ctx, key, into, opts...)
	if _, isCut := into.GetAnnotations()[cutMark]; err != nil || !isCut {
		return err
	}
	fresh, _ := reflect.TypeAssert[client.Object](reflect.New(reflect.TypeOf(into).Elem()))
	fresh.GetObjectKind().SetGroupVersionKind(into.GetObjectKind().GroupVersionKind())
	if err := w.live.Get(ctx, key, fresh); err != nil {
		return err
	}
	if _, err := slim(fresh); err != nil {
		return err
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(fresh).Elem())
	return nil
}

// read are the labels and annotations that the operator reads of what users, or the controllers of pods, write.
var read = []string{
	marks.LabelManagedBy, marks.LabelConnector, appsv1.DefaultDeploymentUniqueLabelKey,
	marks.AnnotationTouched, marks.AnnotationRegenerateAPIKey, marks.AnnotationDeleteInbox,
}

// maxRead is longer than any label, and than any annotation that users are told to write.
const maxRead = 1 << 10

// ours leaves those that the operator reads.
func ours(m map[string]string) map[string]string {
	left := make(map[string]string, len(read))
	for _, name := range read {
		if value, there := m[name]; there && len(value) <= maxRead {
			left[name] = value
		}
	}
	return left
}

// slim drops the fields of an object that the operator never reads. The cache is most of its memory.
func slim(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod: // who it is, where, and how it does
		o.Spec = corev1.PodSpec{NodeName: shared(o.Spec.NodeName), Volumes: children.EmptyDirs(o)}
		o.Labels, o.Annotations = ours(o.Labels), ours(o.Annotations)
		slimStatus(&o.Status)
	case *v1alpha1.ChannelConnector: // most of them say the same of themselves
		o.Labels, o.Annotations, o.OwnerReferences, o.Finalizers = nil, ours(o.Annotations), nil, nil
		for i := range o.Status.Conditions {
			c := &o.Status.Conditions[i]
			c.Type, c.Reason, c.Message = shared(c.Type), shared(c.Reason), shared(c.Message)
		}
	case *metav1.PartialObjectMetadata: // a Secret or ConfigMap: that it is there, which version, and of which resource it is a child
		instance, labelled := o.Labels[marks.LabelConnector]
		labelled = labelled && o.Labels[marks.LabelManagedBy] == marks.ManagedBy
		o.Labels, o.Annotations, o.OwnerReferences, o.Finalizers = nil, nil, nil, nil
		if labelled {
			o.Labels = map[string]string{marks.LabelManagedBy: marks.ManagedBy, marks.LabelConnector: instance}
		}
	}
	if o, ok := object.(client.Object); ok {
		o.SetManagedFields(nil)
		shareStrings(o)
	}
	return apply.Compact(object)
}

// slimStatus drops the fields of a pod's status that the operator never reads, and what is said of other containers than
// the connector's.
func slimStatus(s *corev1.PodStatus) {
	*s = corev1.PodStatus{
		Phase: s.Phase, Reason: s.Reason, Message: s.Message, PodIP: s.PodIP, Conditions: s.Conditions,
		ContainerStatuses: slices.DeleteFunc(s.ContainerStatuses, others),
	}
	for i := range s.ContainerStatuses {
		c := &s.ContainerStatuses[i]
		*c = corev1.ContainerStatus{
			Name: shared(c.Name), State: c.State, LastTerminationState: c.LastTerminationState,
			Ready: c.Ready, RestartCount: c.RestartCount, Image: shared(c.Image),
		}
	}
}

func others(c corev1.ContainerStatus) bool { return c.Name != children.ContainerName }

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

package controllers

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// metadata makes an object's, of which every string is its own.
func metadata() metav1.ObjectMeta {
	own := func(s string) string { return string([]byte(s)) }
	return metav1.ObjectMeta{
		Namespace: own("chat"), Name: own("shop"), ResourceVersion: own("7"),
		Labels: map[string]string{
			own("app"): own("shop"), own(marks.LabelConnector): own("shop"), own(marks.LabelManagedBy): own(marks.ManagedBy),
		},
		Annotations:     map[string]string{own("note"): own("shop"), own(marks.AnnotationTouched): own("1")},
		ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		OwnerReferences: []metav1.OwnerReference{{Kind: own("ChannelConnector"), Name: own("shop"), UID: "1"}},
	}
}

// settled is metadata as slim leaves it, after a change.
func settled(change func(*metav1.ObjectMeta)) metav1.ObjectMeta {
	m := metadata()
	m.ManagedFields = nil
	change(&m)
	return m
}

// ownMarks leaves the labels and annotations that the operator reads.
func ownMarks(m *metav1.ObjectMeta) {
	m.Labels = map[string]string{marks.LabelConnector: "shop", marks.LabelManagedBy: marks.ManagedBy}
	m.Annotations = map[string]string{marks.AnnotationTouched: "1"}
}

// slims is an object, and what slim leaves of it.
type slims struct{ object, want client.Object }

func (c slims) check(t *testing.T) {
	t.Helper()
	for range 2 { // the cache may do it again
		got, err := slim(c.object)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestSlim: nothing is gone but what nobody looks at.
func TestSlim(t *testing.T) {
	whole := settled(func(*metav1.ObjectMeta) {})
	for name, c := range map[string]slims{
		"a service": {
			&corev1.Service{ObjectMeta: metadata(), Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}},
			&corev1.Service{ObjectMeta: whole, Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}},
		},
		"a user's Secret": {
			&metav1.PartialObjectMetadata{ObjectMeta: settled(func(m *metav1.ObjectMeta) { delete(m.Labels, marks.LabelManagedBy) })},
			&metav1.PartialObjectMetadata{ObjectMeta: settled(func(m *metav1.ObjectMeta) {
				m.Labels, m.Annotations, m.OwnerReferences = nil, nil, nil
			})},
		},
		"a Secret of the operator's": {
			&metav1.PartialObjectMetadata{ObjectMeta: metadata()},
			&metav1.PartialObjectMetadata{ObjectMeta: settled(func(m *metav1.ObjectMeta) {
				ownMarks(m)
				m.Annotations, m.OwnerReferences = nil, nil
			})},
		},
		"a resource": {
			&v1alpha1.ChannelConnector{ObjectMeta: metadata(), Spec: v1alpha1.ChannelConnectorSpec{Type: "ZaloOA"}},
			&v1alpha1.ChannelConnector{ObjectMeta: settled(func(m *metav1.ObjectMeta) {
				ownMarks(m)
				m.Labels, m.OwnerReferences = nil, nil
			}), Spec: v1alpha1.ChannelConnectorSpec{Type: "ZaloOA"}},
		},
		"a plain Secret": {
			&corev1.Secret{ObjectMeta: metadata(), Data: map[string][]byte{"xp-api-key": []byte("k")}},
			&corev1.Secret{ObjectMeta: whole, Data: map[string][]byte{"xp-api-key": []byte("k")}},
		},
	} {
		t.Run(name, c.check)
	}
}

// TestSlimPods: of a pod stay its place, and how its connector does.
func TestSlimPods(t *testing.T) {
	marked := settled(ownMarks)
	for name, c := range map[string]slims{
		"a pod": {
			&corev1.Pod{ObjectMeta: metadata(), Spec: corev1.PodSpec{NodeName: "n", Hostname: "h"}, Status: corev1.PodStatus{Phase: "Running"}},
			&corev1.Pod{ObjectMeta: marked, Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Phase: "Running"}},
		},
		"a pod that fails": {
			&corev1.Pod{ObjectMeta: metadata(), Status: corev1.PodStatus{
				Phase: "Running", PodIP: "10.0.0.1", HostIP: "10.0.0.2", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}, QOSClass: "Burstable",
				Conditions: []corev1.PodCondition{{Type: "Ready", Status: "False"}},
				ContainerStatuses: []corev1.ContainerStatus{
					{
						Name: "connector", RestartCount: 7, ImageID: "sha256:0", ContainerID: "containerd://0",
						LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}},
					},
				},
			}},
			&corev1.Pod{ObjectMeta: marked, Status: corev1.PodStatus{
				Phase: "Running", PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{{Type: "Ready", Status: "False"}},
				ContainerStatuses: []corev1.ContainerStatus{
					{
						Name: "connector", RestartCount: 7,
						LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}},
					},
				},
			}},
		},
		"a pod with sidecars, whose words nobody quotes": {
			&corev1.Pod{ObjectMeta: metadata(), Status: corev1.PodStatus{
				InitContainerStatuses: []corev1.ContainerStatus{{Name: "theirs"}},
				ContainerStatuses:     []corev1.ContainerStatus{{Name: "proxy"}, {Name: "connector", RestartCount: 1}},
			}},
			&corev1.Pod{ObjectMeta: marked, Status: corev1.PodStatus{
				ContainerStatuses: []corev1.ContainerStatus{{Name: "connector", RestartCount: 1}},
			}},
		},
	} {
		t.Run(name, c.check)
	}
}

// TestSlimSharesStrings of objects that came one after another.
func TestSlimSharesStrings(t *testing.T) {
	first, second := &corev1.Service{ObjectMeta: metadata()}, &corev1.ServiceAccount{ObjectMeta: metadata()}
	for _, object := range []client.Object{first, second} {
		if _, err := slim(object); err != nil {
			t.Fatal(err)
		}
	}
	for what, values := range map[string][2]string{
		"name":  {first.Name, second.Name},
		"label": {first.Labels["app"], first.Name},
		"owner": {first.OwnerReferences[0].Name, second.Annotations["note"]},
	} {
		if unsafe.StringData(values[0]) != unsafe.StringData(values[1]) {
			t.Errorf("the %s is there twice", what)
		}
	}
}

// TestCachedObjectsAreBounded: whatever a tenant writes into an object that the caches hold, they hold little of it, and
// know which resource it may belong to.
func TestCachedObjectsAreBounded(t *testing.T) {
	objects := []client.Object{&corev1.Pod{}, &v1alpha1.ChannelConnector{}, &metav1.PartialObjectMetadata{}}
	for _, kind := range children.Kinds {
		objects = append(objects, kind.New())
	}
	large := strings.Repeat("x", 1<<20)
	labels := map[string]string{marks.LabelConnector: "shop", marks.LabelManagedBy: marks.ManagedBy}
	annotations := map[string]string{"note": large, marks.AnnotationConnector: large, marks.AnnotationTemplate: large}
	for i := range 10_000 { // as many as anybody likes
		labels[fmt.Sprint(marks.Domain, i)], annotations[fmt.Sprint(marks.Domain, i)] = "theirs", "theirs"
	}
	for _, object := range objects {
		object.SetNamespace("chat")
		object.SetName("shop")
		object.SetResourceVersion("7")
		object.SetLabels(maps.Clone(labels))
		object.SetAnnotations(maps.Clone(annotations))
		object.SetFinalizers([]string{large})
		created, deleted := metav1.Unix(1, 0), metav1.Unix(2, 0)
		object.SetCreationTimestamp(created)
		object.SetDeletionTimestamp(&deleted)
		most := maxCached
		switch o := object.(type) {
		case *appsv1.Deployment: // a few bytes of the encoding are hundreds here
			o.Spec.Template.Spec.Containers = make([]corev1.Container, 1000)
		case *v1alpha1.ChannelConnector:
			most = maxResource
			o.Spec.Workload.Tolerations = make([]corev1.Toleration, 500_000)
		}
		got, err := slimAndCut(object)
		if err != nil {
			t.Fatal(err)
		}
		held, _ := got.(client.Object)
		if size := apply.Size(held); size > most {
			t.Errorf("%T: %d bytes", object, size)
		}
		if held.GetName() != "shop" || held.GetResourceVersion() != "7" {
			t.Errorf("%T: %+v", object, held)
		}
		if held.GetCreationTimestamp() != created || held.GetDeletionTimestamp() == nil {
			t.Errorf("%T: is it there, and since when?", object)
		}
		if _, resource := object.(*v1alpha1.ChannelConnector); !resource && held.GetLabels()[marks.LabelConnector] != "shop" {
			t.Errorf("%T: whose is it?", object)
		}
	}
}

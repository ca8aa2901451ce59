package children

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// compactionRoom is what a store may take of the disk beyond half of its bound on top of the bound: logs, and what
// compactions write before they delete what they have read.
const compactionRoom = 256 << 20

// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;patch

// claim keeps a Persistent inbox. It has no owner, so that a resource deleted by mistake does not take undelivered
// events along, unless the resource's annotation asks for that.
var claim = Kind{
	Name: "PersistentVolumeClaim", Want: wantClaim, Fit: keepLarger,
	New: func() client.Object { return &corev1.PersistentVolumeClaim{} },
}

func wantClaim(in Input) runtime.ApplyConfiguration {
	if !in.Connector.Spec.Inbox.Keeps(v1alpha1.StoragePersistent) {
		return nil
	}
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: volumeSize(in.Connector)}))
	if class := in.Connector.Spec.Inbox.Store().StorageClassName; class != "" {
		spec.WithStorageClassName(class)
	}
	c := corev1ac.PersistentVolumeClaim(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(keptLabels(in.Connector.Name)).
		WithAnnotations(keptAnnotations(in.Connector)).
		WithSpec(spec)
	if in.Connector.Annotations[marks.AnnotationDeleteInbox] == "true" {
		c.WithOwnerReferences(owner(in.Connector)...)
	}
	return c
}

// keepLarger keeps the size of a claim that was made larger: volumes do not shrink.
func keepLarger(wanted runtime.ApplyConfiguration, live client.Object) {
	desired, isClaim := wanted.(*corev1ac.PersistentVolumeClaimApplyConfiguration)
	there, ok := live.(*corev1.PersistentVolumeClaim)
	if !ok || !isClaim {
		return
	}
	requests := *desired.Spec.Resources.Requests
	if size := there.Spec.Resources.Requests[corev1.ResourceStorage]; size.Cmp(requests[corev1.ResourceStorage]) > 0 {
		requests[corev1.ResourceStorage] = size
	}
}

// volumeSize is the disk that an Embedded inbox of the declared size needs; others need none.
func volumeSize(c *v1alpha1.ChannelConnector) resource.Quantity {
	store := c.Spec.Inbox.Store()
	if store == nil {
		return resource.Quantity{}
	}
	size := store.Size
	return *resource.NewQuantity(size.Value()+size.Value()/2+compactionRoom, resource.BinarySI)
}

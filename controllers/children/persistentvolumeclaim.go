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

// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;patch

// claim keeps a Persistent inbox. It has no owner, so that a resource deleted by mistake does not take undelivered
// events along, unless the resource's annotation asks for that.
var claim = Kind{
	Name: "PersistentVolumeClaim", Want: wantClaim, Fit: keepRequest,
	New: func() client.Object { return &corev1.PersistentVolumeClaim{} },
}

func wantClaim(in Input) runtime.ApplyConfiguration {
	if !in.Connector.Spec.Inbox.Keeps(v1alpha1.StoragePersistent) {
		return nil
	}
	request := volumeSize(in.Connector)
	if in.ClaimRequest != nil {
		request = *in.ClaimRequest
	}
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: request}))
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

// keepRequest keeps what a claim requests where that cannot change, or need not: volumes do not shrink, a claim that is
// not bound has no volume to enlarge, and a volume may be large enough already.
func keepRequest(wanted runtime.ApplyConfiguration, live client.Object) {
	desired, isClaim := wanted.(*corev1ac.PersistentVolumeClaimApplyConfiguration)
	there, ok := live.(*corev1.PersistentVolumeClaim)
	if !ok || !isClaim {
		return
	}
	requests := *desired.Spec.Resources.Requests
	if has := Request(there); !needs(there, requests[corev1.ResourceStorage]) {
		requests[corev1.ResourceStorage] = has
	}
}

// needs reports whether a claim must, and can, request so much more.
func needs(claim *corev1.PersistentVolumeClaim, size resource.Quantity) bool {
	requested, capacity := Request(claim), claim.Status.Capacity[corev1.ResourceStorage]
	return claim.Status.Phase == corev1.ClaimBound && requested.Cmp(size) < 0 && capacity.Cmp(size) < 0
}

// Request is the storage that a claim requests.
func Request(claim *corev1.PersistentVolumeClaim) resource.Quantity {
	return claim.Spec.Resources.Requests[corev1.ResourceStorage]
}

// Grows reports whether the claim is to request more than it does.
func Grows(c *v1alpha1.ChannelConnector, claim *corev1.PersistentVolumeClaim) bool {
	return needs(claim, volumeSize(c))
}

package children

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/inbox/embedded"
)

// compactionRoom is what a store may take of the disk beyond half of its bound on top of the bound: logs, and what
// compactions write before they delete what they have read.
const compactionRoom = 256 << 20

// volumeSize is the disk that an Embedded inbox of the declared size needs; others need none.
func volumeSize(c *v1alpha1.ChannelConnector) resource.Quantity {
	store := c.Spec.Inbox.Store()
	if store == nil {
		return resource.Quantity{}
	}
	size := store.Size
	return *resource.NewQuantity(size.Value()+size.Value()/2+compactionRoom, resource.BinarySI)
}

// VolumeSize is volumeSize for messages.
func VolumeSize(c *v1alpha1.ChannelConnector) string {
	size := volumeSize(c)
	return size.String()
}

// SizeOn is the size that an Embedded inbox has on a volume: the declared one, or as much of it, in whole MiB, as the
// volume has room for. It is never less than a connector takes; on a smaller volume the store's own reserve of free disk
// holds.
func SizeOn(volume resource.Quantity, c *v1alpha1.ChannelConnector) resource.Quantity {
	declared := c.Spec.Inbox.Store().Size
	if volume.Cmp(volumeSize(c)) >= 0 {
		return declared
	}
	fits := int64(0)
	if volume.Sign() > 0 { // others write a claim's status, and may write anything
		fits = (volume.Value() - compactionRoom) / 3 * 2
	}
	fits = max(fits>>20<<20, embedded.MinSize)
	return *resource.NewQuantity(min(fits, declared.Value()), resource.BinarySI)
}

// ClaimedVolume is the size of a claim's volume; before there is one, that which the claim requests.
func ClaimedVolume(claim *corev1.PersistentVolumeClaim) resource.Quantity {
	if capacity, bound := claim.Status.Capacity[corev1.ResourceStorage]; bound {
		return capacity
	}
	return Request(claim)
}

// EmptyDirs are the volumes of a pod with an Ephemeral inbox; empty for any other pod.
func EmptyDirs(pod *corev1.Pod) (inbox []corev1.Volume) {
	for _, v := range pod.Spec.Volumes {
		if v.Name == volumeInbox && v.EmptyDir != nil {
			inbox = append(inbox, v)
		}
	}
	return inbox
}

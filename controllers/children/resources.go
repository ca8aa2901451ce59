package children

import (
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// What a connector gets when the resource does not say otherwise. Under load it stays below 128 MiB; the limit leaves
// room for large bodies.
var (
	defaultRequests = corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("50m"),
		corev1.ResourceMemory:           resource.MustParse("64Mi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("16Mi"),
	}
	defaultLimits = corev1.ResourceList{
		corev1.ResourceMemory: resource.MustParse("256Mi"),
		// Logs; the size of an Ephemeral inbox is added.
		corev1.ResourceEphemeralStorage: resource.MustParse("256Mi"),
	}
)

// containerResources are the declared ones, the defaults where nothing is declared. A default limit gives way to a
// larger declared request.
func containerResources(c *v1alpha1.ChannelConnector) *corev1ac.ResourceRequirementsApplyConfiguration {
	requests, limits := defaultRequests.DeepCopy(), defaultLimits.DeepCopy()
	if c.Spec.Inbox.Keeps(v1alpha1.StorageEphemeral) {
		limits[corev1.ResourceEphemeralStorage] = volumeSize(c)
	}
	declared := ptr.Deref(c.Spec.Workload.Resources, v1alpha1.Resources{})
	maps.Copy(limits, declared.Limits)
	maps.Copy(requests, declared.Requests)
	for name, request := range requests {
		if limit, ok := limits[name]; !ok || request.Cmp(limit) <= 0 {
			continue
		}
		if _, chosen := declared.Requests[name]; chosen {
			limits[name] = request
		} else {
			requests[name] = limits[name]
		}
	}
	return corev1ac.ResourceRequirements().WithRequests(requests).WithLimits(limits)
}

// as turns values into another type, whose fields have the same names in JSON: Kubernetes' types into their apply
// configurations.
func as[T any](value any) (other T) {
	if err := json.Unmarshal(encode(value), &other); err != nil {
		panic(fmt.Sprintf("a %T does not fit a %T: %v", value, other, err))
	}
	return other
}

// encode is a value in JSON that every value of its type has.
func encode(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("a %T cannot be encoded: %v", value, err))
	}
	return encoded
}

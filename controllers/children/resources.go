package children

import (
	"encoding/json"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// What a connector gets when the resource does not say otherwise. Under load it
// stays below 128 MiB; the limit leaves room for large bodies.
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

// containerResources are the declared ones, the defaults where nothing is
// declared. A default limit gives way to a larger declared request.
func containerResources(c *v1alpha1.ChannelConnector) *corev1ac.ResourceRequirementsApplyConfiguration {
	requests, limits := defaultRequests.DeepCopy(), defaultLimits.DeepCopy()
	if c.Spec.Inbox.Keeps(v1alpha1.StorageEphemeral) {
		limits[corev1.ResourceEphemeralStorage] = volumeSize(c)
	}
	declared := c.Spec.Workload.Resources
	if declared == nil {
		declared = &v1alpha1.Resources{}
	}
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

// as turns one of Kubernetes' types into its apply configuration, whose fields
// have the same names in JSON.
func as[T any](value any) T {
	var configuration T
	encoded, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(encoded, &configuration)
	}
	if err != nil {
		panic("a type of Kubernetes does not fit its own apply configuration: " + err.Error())
	}
	return configuration
}

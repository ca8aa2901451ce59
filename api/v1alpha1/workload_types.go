package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
)

// Workload says how the connector's pods run.
type Workload struct {
	// replicas is the number of pods: with an Embedded inbox 0 (nothing takes
	// calls, the inbox is kept) or 1. "kubectl scale chc" and autoscalers set it.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:XValidation:rule="self >= 0",message="workload.replicas: must not be negative: write 0 or 1"
	Replicas *int32 `json:"replicas,omitempty"`
	// resources of the connector's container; what is left out has a default:
	// requests cpu 50m, memory 64Mi, ephemeral-storage 16Mi; limits memory 256Mi
	// and ephemeral-storage 256Mi, with an Ephemeral inbox its volume's size
	// besides.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// nodeSelector are labels that the node must have.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// tolerations of the pods.
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// affinity of the pods.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// topologySpreadConstraints of the pods.
	// +optional
	// +listType=atomic
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// podLabels are added to the pods. Labels that the operator sets itself win.
	// +optional
	PodLabels map[string]string `json:"podLabels,omitempty"`
	// podAnnotations are added to the pods.
	// +optional
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
	// serviceAccountName of the pods. No token is mounted either way. Default: one
	// of the operator's making.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// imagePullSecrets are the Secrets with which the image is pulled.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []SecretRef `json:"imagePullSecrets,omitempty"`
	// priorityClassName of the pods.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// terminationGracePeriodSeconds is the time that a stopping pod has, 10 to
	// 3600 seconds: 5 s for endpoints to drain, then for calls and deliveries
	// under way, and with an Ephemeral inbox for what is pending.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:XValidation:rule="self >= 10 && self <= 3600",message="workload.terminationGracePeriodSeconds: write a number of seconds from 10 to 3600, for example 30"
	TerminationGracePeriodSeconds int64 `json:"terminationGracePeriodSeconds,omitempty"`
}

// Resources are a container's.
type Resources struct {
	// requests are what the pod is guaranteed. Example: {cpu: 100m, memory: 128Mi}
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`
	// limits are what the pod may use at most. Example: {memory: 512Mi}
	// +optional
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
)

// Workload says how the connector's pods run.
type Workload struct {
	// replicas is the number of pods: with an Embedded inbox 0 (nothing takes
	// calls, the inbox is kept) or 1. "kubectl scale chc" and autoscalers set it.
	// Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:XValidation:rule="self >= 0",message="workload.replicas: must not be negative: write 0 or 1"
	Replicas *int32 `json:"replicas,omitempty"`
	// resources of the connector's container. Default of each that is left out:
	// requests cpu 50m, memory 64Mi, ephemeral-storage 16Mi; limits memory 256Mi
	// and ephemeral-storage 256Mi, plus the size of an Ephemeral inbox's volume.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// nodeSelector are labels that the node must have, in addition to
	// kubernetes.io/os: linux. Default: none. Example: {kubernetes.io/arch: amd64}
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && k.indexOf('/') <= 253)",message="workload.nodeSelector: write labels, for example kubernetes.io/arch: amd64"
	NodeSelector map[string]LabelValue `json:"nodeSelector,omitempty"`
	// tolerations of the pods. Default: none. Example: [{key: chat, operator:
	// Exists}]
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// affinity of the pods. Default: none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// topologySpreadConstraints of the pods. Default: none.
	// +optional
	// +listType=atomic
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// podLabels are added to the pods. Labels that the operator sets itself win.
	// Default: none. Example: {team: chat}
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && k.indexOf('/') <= 253)",message="workload.podLabels: write labels, for example team: chat"
	PodLabels map[string]LabelValue `json:"podLabels,omitempty"`
	// podAnnotations are added to the pods. Annotations that the operator sets
	// itself win. Default: none. Example: {prometheus.io/scrape: "true"}
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.lowerAscii().matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && k.indexOf('/') <= 253)",message="workload.podAnnotations: write annotations, for example prometheus.io/scrape: \"true\""
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
	// serviceAccountName of the pods. No token is mounted either way. Default: one
	// of the operator's making. Example: shop
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="workload.serviceAccountName: write the name of a ServiceAccount, for example shop, or leave it out"
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// imagePullSecrets are the Secrets with which the image is pulled. Default:
	// none. Example: [{name: registry}]
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []SecretRef `json:"imagePullSecrets,omitempty"`
	// priorityClassName of the pods. Default: the cluster's default class. Example:
	// business-critical
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="workload.priorityClassName: write the name of a PriorityClass, for example business-critical, or leave it out"
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// terminationGracePeriodSeconds is the time that a stopping pod has for calls
	// and deliveries under way, 10 to 3600 seconds. With an Ephemeral inbox
	// endpoints drain for the first 5 s, and pending events are delivered in the
	// rest. Default: 30.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:XValidation:rule="self >= 10 && self <= 3600",message="workload.terminationGracePeriodSeconds: write a number of seconds from 10 to 3600, for example 30"
	TerminationGracePeriodSeconds int64 `json:"terminationGracePeriodSeconds,omitempty"`
	// logLevel is the least important line that the connector logs: debug, info,
	// warn or error. Refused calls are counted in the log at info. A change
	// restarts nothing. Default: info.
	// +optional
	// +kubebuilder:default=info
	LogLevel LogLevel `json:"logLevel,omitempty"`
}

// LogLevel names the least important lines that are logged.
// +kubebuilder:validation:Enum=debug;info;warn;error
type LogLevel string

// The log levels.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// LabelValue is the value of a label.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')",message="workload: write the value of a label: letters, digits, -, _ and ., in quotes"
type LabelValue string

// Resources are a container's.
//
// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !has(self.limits) || ['cpu', 'memory', 'ephemeral-storage'].all(r, !(r in self.requests) || !(r in self.limits) || [self.requests[r], self.limits[r]].exists(q, string(q).matches('[eE]') || !isQuantity(string(q))) || quantity(string(self.requests[r])).compareTo(quantity(string(self.limits[r]))) <= 0)",fieldPath=".requests",message="workload.resources.requests: more than the limit: write at most what workload.resources.limits has"
type Resources struct {
	// requests are guaranteed to the pod. Default: cpu 50m, memory 64Mi,
	// ephemeral-storage 16Mi. Example: {cpu: 100m, memory: 128Mi}
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	// +kubebuilder:validation:XValidation:rule="self.all(r, r in ['cpu', 'memory', 'ephemeral-storage'])",message="workload.resources.requests: unknown resource: write cpu, memory or ephemeral-storage"
	// +kubebuilder:validation:XValidation:rule="!('cpu' in self) || (!string(self['cpu']).matches('[eE]') && isQuantity(string(self['cpu'])) && quantity(string(self['cpu'])).compareTo(quantity('0')) >= 0 && quantity(string(self['cpu'])).compareTo(quantity('1024')) <= 0)",message="workload.resources.requests: cpu: write a number of cores from 0 to 1024, for example 100m"
	// +kubebuilder:validation:XValidation:rule="['memory', 'ephemeral-storage'].all(r, !(r in self) || (!string(self[r]).matches('[eE]') && isQuantity(string(self[r])) && quantity(string(self[r])).compareTo(quantity('1Mi')) >= 0 && quantity(string(self[r])).compareTo(quantity('16Ti')) <= 0))",message="workload.resources.requests: memory and ephemeral-storage: write a size from 1Mi to 16Ti, for example 256Mi"
	Requests corev1.ResourceList `json:"requests,omitempty"`
	// limits bound the pod's use. Default: memory 256Mi,
	// ephemeral-storage 256Mi. Example: {memory: 512Mi}
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	// +kubebuilder:validation:XValidation:rule="self.all(r, r in ['cpu', 'memory', 'ephemeral-storage'])",message="workload.resources.limits: unknown resource: write cpu, memory or ephemeral-storage"
	// +kubebuilder:validation:XValidation:rule="!('cpu' in self) || (!string(self['cpu']).matches('[eE]') && isQuantity(string(self['cpu'])) && quantity(string(self['cpu'])).compareTo(quantity('0')) >= 0 && quantity(string(self['cpu'])).compareTo(quantity('1024')) <= 0)",message="workload.resources.limits: cpu: write a number of cores from 0 to 1024, for example 100m"
	// +kubebuilder:validation:XValidation:rule="['memory', 'ephemeral-storage'].all(r, !(r in self) || (!string(self[r]).matches('[eE]') && isQuantity(string(self[r])) && quantity(string(self[r])).compareTo(quantity('1Mi')) >= 0 && quantity(string(self[r])).compareTo(quantity('16Ti')) <= 0))",message="workload.resources.limits: memory and ephemeral-storage: write a size from 1Mi to 16Ti, for example 256Mi"
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

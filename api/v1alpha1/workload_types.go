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
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// affinity of the pods. Default: none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// topologySpreadConstraints of the pods. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
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
	PodAnnotations map[string]AnnotationValue `json:"podAnnotations,omitempty"`
	// serviceAccountName of the pods. Default: one of the operator's making.
	// Example: shop
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="workload.serviceAccountName: write the name of a ServiceAccount, for example shop, or leave it out"
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// serviceAccountToken is None or Mount. The connector itself never talks to the
	// API server. Mount is for what is injected into its pod, such as a mesh's
	// sidecar or an agent that logs in with the token: whoever takes over the pod
	// then has the rights of its ServiceAccount. Default: None.
	// +optional
	// +kubebuilder:default=None
	ServiceAccountToken ServiceAccountToken `json:"serviceAccountToken,omitempty"`
	// userIDs is Fixed or Cluster. Fixed runs the pods as user and group 65532.
	// Cluster leaves user, group and fsGroup to the cluster, as the restricted-v2
	// constraint of OpenShift demands; its volumes must let that user write.
	// Default: Fixed.
	// +optional
	// +kubebuilder:default=Fixed
	UserIDs UserIDs `json:"userIDs,omitempty"`
	// env are environment variables of the connector's container, for example
	// HTTPS_PROXY and NO_PROXY. A change replaces the pods; a changed Secret does
	// not, and reaches the next pod only. Default: none. Example: [{name:
	// HTTPS_PROXY, value: "http://proxy.example:3128"}]
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Env []EnvVar `json:"env,omitempty"`
	// tls serves the webhook by HTTPS: the Service has port 443 in place of 80.
	// Probes and metrics stay plain. Default: plain HTTP, for a gateway that ends
	// TLS.
	// +optional
	TLS *WorkloadTLS `json:"tls,omitempty"`
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
	// networkPolicy lets the connector's pods be reached by, and reach, only who is
	// named, DNS and the sink. Default: no NetworkPolicy is made. Example: {}
	// +optional
	NetworkPolicy *NetworkPolicy `json:"networkPolicy,omitempty"`
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

// WorkloadTLS names the certificate of the webhook.
type WorkloadTLS struct {
	// secretName is a Secret of type kubernetes.io/tls: its tls.crt and tls.key. A
	// renewed pair is taken without a restart. Example: shop-tls
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="workload.tls.secretName: write the name of a Secret: lower-case letters, digits, - and ."
	SecretName string `json:"secretName"`
}

// ServiceAccountToken says whether the pods get a token of their ServiceAccount.
// +kubebuilder:validation:Enum=None;Mount
type ServiceAccountToken string

// The ways with the token.
const (
	TokenNone  ServiceAccountToken = "None"
	TokenMount ServiceAccountToken = "Mount"
)

// UserIDs says who chooses the pods' user and groups.
// +kubebuilder:validation:Enum=Fixed;Cluster
type UserIDs string

// The ways with user ids.
const (
	UserIDsFixed   UserIDs = "Fixed"
	UserIDsCluster UserIDs = "Cluster"
)

// EnvVar is an environment variable. As in any pod, $(NAME) in a value stands for
// a variable above it.
//
// The rule is here and not at the value, because a refusal quotes a field's value.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.secretKeyRef)",message="workload.env: write exactly one of value and secretKeyRef"
type EnvVar struct {
	// name of the variable: letters, digits and _, no digit first. Example:
	// HTTPS_PROXY
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",message="workload.env: name: write letters, digits and _, no digit first, for example HTTPS_PROXY"
	Name string `json:"name"`
	// value of the variable. What is secret belongs into secretKeyRef. Default:
	// none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`
	// secretKeyRef names the Secret key that holds the value instead. Default:
	// none.
	// +optional
	SecretKeyRef *SecretKeyRef `json:"secretKeyRef,omitempty"`
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

// AnnotationValue is the value of an annotation.
// +kubebuilder:validation:MaxLength=8192
type AnnotationValue string

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

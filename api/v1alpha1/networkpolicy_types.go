package v1alpha1

import (
	networkingv1 "k8s.io/api/networking/v1"
)

// NetworkPolicy says who may reach the connector's pods, and whom these may
// reach in addition to DNS and the sink. The cluster's network enforces it, or
// does not. The operator may read the connector's report in any case, and
// kubelet's probes come from the node, which networks let in.
type NetworkPolicy struct {
	// webhookFrom are the peers that may call the webhook, such as the gateway's
	// namespace. Default: everyone. Example: [{namespaceSelector: {matchLabels:
	// {kubernetes.io/metadata.name: gateways}}}]
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, has(p.ipBlock) != (has(p.podSelector) || has(p.namespaceSelector)))",message="workload.networkPolicy.webhookFrom: write in each peer a podSelector, a namespaceSelector or both, or an ipBlock alone"
	WebhookFrom []networkingv1.NetworkPolicyPeer `json:"webhookFrom,omitempty"`
	// metricsFrom are the peers that may read the metrics, such as the monitoring's
	// namespace. Default: nobody. Example: [{namespaceSelector: {matchLabels:
	// {kubernetes.io/metadata.name: monitoring}}}]
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, has(p.ipBlock) != (has(p.podSelector) || has(p.namespaceSelector)))",message="workload.networkPolicy.metricsFrom: write in each peer a podSelector, a namespaceSelector or both, or an ipBlock alone"
	MetricsFrom []networkingv1.NetworkPolicyPeer `json:"metricsFrom,omitempty"`
	// egress are rules for what else the pods may reach, such as a proxy that
	// HTTPS_PROXY names. Required with sink.http.urlSecretKeyRef, because a
	// NetworkPolicy would tell the secret URL. Default: DNS and the sink alone.
	// Example: [{to: [{ipBlock: {cidr: 192.0.2.7/32}}], ports: [{port: 3128}]}]
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Egress []networkingv1.NetworkPolicyEgressRule `json:"egress,omitempty"`
}

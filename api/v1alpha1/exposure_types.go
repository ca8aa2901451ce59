package v1alpha1

// Exposure is how the platform reaches the webhook from outside the cluster. Exactly one member is set.
//
// +kubebuilder:validation:XValidation:rule="has(self.httpRoute) != has(self.ingress)",message="exposure: write exactly one of httpRoute and ingress"
type Exposure struct {
	// httpRoute leads calls through a Gateway: a HTTPRoute of the Gateway API v1,
	// which the cluster must have. Required unless ingress is set.
	// +optional
	HTTPRoute *HTTPRouteExposure `json:"httpRoute,omitempty"`
	// ingress leads calls through an Ingress. Required unless httpRoute is set.
	// +optional
	Ingress *IngressExposure `json:"ingress,omitempty"`
}

// HTTPRouteExposure declares a HTTPRoute.
type HTTPRouteExposure struct {
	// parentRefs are the Gateways that take the route. Example: [{name: public,
	// namespace: gateways}]
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(q, p.name == q.name && (has(p.__namespace__) ? p.__namespace__ : '') == (has(q.__namespace__) ? q.__namespace__ : '') && (!has(p.sectionName) || !has(q.sectionName) || p.sectionName == q.sectionName)))",message="exposure.httpRoute.parentRefs: write each Gateway once, or each time with another sectionName"
	ParentRefs []ParentRef `json:"parentRefs"`
	// hostnames are the names under which the platform may call. The first is that
	// of status.webhookURL. Wildcards are refused: a URL needs a name. Example:
	// [hooks.example.com]
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(h, self.exists_one(o, o == h))",message="exposure.httpRoute.hostnames: write each name once"
	Hostnames []Hostname `json:"hostnames"`
}

// Hostname is a name of a host in DNS.
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$') && !self.matches('(^|[.])[0-9]+$')",message="exposure: write the full name of a host in lower case, without a wildcard, scheme or port, for example hooks.example.com"
type Hostname string

// ParentRef names a Gateway, or one of its listeners.
type ParentRef struct {
	// name of the Gateway. Example: public
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="exposure.httpRoute.parentRefs.name: write the name of a Gateway, for example public"
	Name string `json:"name"`
	// namespace of the Gateway. Default: the resource's own. Example: gateways
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="exposure.httpRoute.parentRefs.namespace: write the name of a namespace, for example gateways, or leave it out"
	Namespace string `json:"namespace,omitempty"`
	// sectionName is the listener that takes the route. Default: every one that
	// fits. Example: https
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="exposure.httpRoute.parentRefs.sectionName: write the name of a listener, for example https, or leave it out"
	SectionName string `json:"sectionName,omitempty"`
	// port limits the listeners to those on a port. Default: any. Example: 443
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 65535",message="exposure.httpRoute.parentRefs.port: write a port from 1 to 65535, for example 443, or leave it out"
	Port int32 `json:"port,omitempty"`
}

// IngressExposure declares an Ingress.
type IngressExposure struct {
	// className is the IngressClass. Default: the cluster's default class. Example:
	// nginx
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="exposure.ingress.className: write the name of an IngressClass, for example nginx, or leave it out"
	ClassName string `json:"className,omitempty"`
	// host is the name under which the platform calls. Example: hooks.example.com
	// +required
	Host Hostname `json:"host"`
	// tlsSecretName is the Secret of type kubernetes.io/tls with the host's
	// certificate, in the resource's own namespace; cert-manager may fill it.
	// Default: none, and the controller's default certificate or a load balancer in
	// front of it has to serve HTTPS. Example: hooks-tls
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="exposure.ingress.tlsSecretName: write the name of a Secret, for example hooks-tls, or leave it out"
	TLSSecretName string `json:"tlsSecretName,omitempty"`
	// annotations are added to the Ingress, for its controller. Annotations that the
	// operator sets itself win. Default: none. Example:
	// {cert-manager.io/cluster-issuer: public}
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.lowerAscii().matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && k.indexOf('/') <= 253)",message="exposure.ingress.annotations: write annotations, for example cert-manager.io/cluster-issuer: public"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SinkType names a kind of sink.
// +kubebuilder:validation:Enum=HTTP
type SinkType string

// SinkHTTP posts CloudEvents to a URL.
const SinkHTTP SinkType = "HTTP"

// Sink is where events go. Exactly the member that type names is set.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'HTTP' || has(self.http)",fieldPath=".http",reason=FieldValueRequired,message="sink.http: required for type HTTP: write sink.http.url"
type Sink struct {
	// type is the kind of sink: HTTP. Default: HTTP.
	// +optional
	// +kubebuilder:default=HTTP
	Type SinkType `json:"type,omitempty"`
	// http is the sink of type HTTP. Required for it.
	// +optional
	HTTP *HTTPSink `json:"http,omitempty"`
}

// HTTPSink posts each event as a CloudEvent in binary mode: the body is the
// platform's, byte for byte, the attributes are "ce-" headers.
//
// The rules on the URL are here and not at the field, because a refusal quotes a
// field's value, which may hold credentials.
//
// +kubebuilder:validation:XValidation:rule="!has(self.url) || self.url.matches('^[hH][tT][tT][pP][sS]?://[^/?#]+') && isURL(self.url) && size(url(self.url).getHostname()) > 0",fieldPath=".url",message="sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || !self.url.matches('^[^:]+://[^/?#]*@')",fieldPath=".url",message="sink.http.url: must hold no credentials: put them into a Secret and name it in sink.http.headers"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || !self.url.contains('#')",fieldPath=".url",message="sink.http.url: must hold no fragment: remove # and what follows"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || !self.url.matches('^[^/]+//[^/?#]*:0*(0|[1-9][0-9]{5,}|[7-9][0-9]{4}|6[6-9][0-9]{3}|65[6-9][0-9]{2}|655[4-9][0-9]|6553[6-9])([/?#]|$)')",fieldPath=".url",message="sink.http.url: write a port from 1 to 65535"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || !has(self.url) || self.url.matches('^[hH][tT][tT][pP][sS]:')",fieldPath=".tls",message="sink.http.tls: needs an https URL in sink.http.url"
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.urlSecretKeyRef)",fieldPath=".url",reason=FieldValueRequired,message="sink.http.url: write exactly one of url and urlSecretKeyRef"
// +kubebuilder:validation:XValidation:rule="!has(self.proxy) || self.proxy == 'none' || (self.proxy.matches('^(https?|socks5h?)://([A-Za-z0-9._-]+|[[][0-9A-Fa-f:]+])(:[0-9]{1,5})?/?$') && isURL(self.proxy))",fieldPath=".proxy",message="sink.http.proxy: write none, or the URL of a proxy without credentials, for example http://proxy.example:3128"
// +kubebuilder:validation:XValidation:rule="!has(self.proxy) || !self.proxy.matches('^[^/]+//[^/?#]*:0*(0|[1-9][0-9]{5,}|[7-9][0-9]{4}|6[6-9][0-9]{3}|65[6-9][0-9]{2}|655[4-9][0-9]|6553[6-9])([/?#]|$)')",fieldPath=".proxy",message="sink.http.proxy: write a port from 1 to 65535"
type HTTPSink struct {
	// url is where events are posted: absolute, http or https, without
	// credentials or fragment. Exactly one of url and urlSecretKeyRef is set.
	// Default: none. Example: http://bot.chat.svc/events
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`
	// urlSecretKeyRef names the Secret key that holds the URL instead, if the URL is
	// itself a secret. Logs and status show its scheme and host only.
	// Default: none.
	// +optional
	URLSecretKeyRef *SecretKeyRef `json:"urlSecretKeyRef,omitempty"`
	// timeout bounds one attempt, from dialling to the answer's headers: 100ms to
	// 5m. Default: 10s.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') && duration(self) >= duration('100ms') && duration(self) <= duration('5m')",message="sink.http.timeout: write a duration from 100ms to 5m, for example 10s"
	Timeout metav1.Duration `json:"timeout,omitempty"`
	// proxy is the URL of a proxy (http, https, socks5 or socks5h) without
	// credentials, or none. Default: that of HTTP_PROXY, HTTPS_PROXY and NO_PROXY in
	// the connector's pod; the operator sets none of them. Example:
	// http://proxy.example:3128
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Proxy string `json:"proxy,omitempty"`
	// localAddresses is Refuse or Allow. Refuse applies to loopback, link-local,
	// unspecified and multicast addresses, and to those of clouds' metadata
	// services, of a sink or a proxy, at the moment of dialling, whatever the name
	// was. Allow is for a sink in the connector's own pod. Default: Refuse.
	// +optional
	// +kubebuilder:default=Refuse
	LocalAddresses LocalAddresses `json:"localAddresses,omitempty"`
	// headers are added to every request, for example Authorization. Default:
	// none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(h, self.exists_one(o, o.name.lowerAscii() == h.name.lowerAscii()))",message="sink.http.headers: names of headers do not depend on case: write each once"
	Headers []Header `json:"headers,omitempty"`
	// tls adjusts how an https URL is trusted. Default: the system's authorities,
	// no client certificate.
	// +optional
	TLS *SinkTLS `json:"tls,omitempty"`
	// signingSecretKeyRef names the secret that signs every request by the
	// Standard Webhooks specification: "whsec_" and the base64 of 24 to 64 bytes.
	// Default: not signed.
	// +optional
	SigningSecretKeyRef *SecretKeyRef `json:"signingSecretKeyRef,omitempty"`
}

// LocalAddresses says whether a sink may be on the connector's own machine.
// +kubebuilder:validation:Enum=Refuse;Allow
type LocalAddresses string

// The ways with local addresses.
const (
	LocalRefuse LocalAddresses = "Refuse"
	LocalAllow  LocalAddresses = "Allow"
)

// Header is one request header with a value from a Secret.
type Header struct {
	// name of the header, in any case. Example: Authorization
	// +required
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches(\"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$\")",message="sink.http.headers: write the name of a header, for example Authorization, without its value"
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().matches('^(host|content-length|content-type|connection|transfer-encoding|trailer|te|upgrade|ce-.*|webhook-.*)$')",message="sink.http.headers: the connector sets this header itself: choose another name"
	Name string `json:"name"`
	// secretKeyRef names the Secret key that holds the header's value.
	// +required
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}

// SinkTLS adjusts how an https URL is trusted.
//
// +kubebuilder:validation:XValidation:rule="has(self.caSecretKeyRef) || has(self.caConfigMapKeyRef) || has(self.clientCertificateSecretRef)",message="sink.http.tls: is empty: write caSecretKeyRef or caConfigMapKeyRef, clientCertificateSecretRef, or both, or leave tls out"
// +kubebuilder:validation:XValidation:rule="!has(self.caSecretKeyRef) || !has(self.caConfigMapKeyRef)",fieldPath=".caConfigMapKeyRef",message="sink.http.tls: write at most one of caSecretKeyRef and caConfigMapKeyRef"
type SinkTLS struct {
	// caSecretKeyRef names a PEM bundle of certificate authorities to trust
	// instead of the system's. Default: the system's. Example: {name: bot-ca, key:
	// ca.crt}
	// +optional
	CASecretKeyRef *SecretKeyRef `json:"caSecretKeyRef,omitempty"`
	// caConfigMapKeyRef names such a bundle in a ConfigMap instead, as trust-manager
	// and OpenShift write them. Default: none. Example: {name: company-ca, key:
	// ca-bundle.crt}
	// +optional
	CAConfigMapKeyRef *ConfigMapKeyRef `json:"caConfigMapKeyRef,omitempty"`
	// clientCertificateSecretRef names a Secret of type kubernetes.io/tls: its
	// tls.crt and tls.key identify the connector to the sink. Default: none.
	// Example: {name: bot-client-tls}
	// +optional
	ClientCertificateSecretRef *SecretRef `json:"clientCertificateSecretRef,omitempty"`
}

// ConfigMapKeyRef names one key of a ConfigMap in the resource's own namespace, of
// its data or binaryData.
type ConfigMapKeyRef struct {
	// name of the ConfigMap. Example: company-ca
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="name: write the name of a ConfigMap: lower-case letters, digits, - and ."
	Name string `json:"name"`
	// key in the ConfigMap's data. Example: ca-bundle.crt
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key: write a key of the ConfigMap's data: letters, digits, -, _ and ."
	Key string `json:"key"`
}

// SecretRef names a Secret in the resource's own namespace.
type SecretRef struct {
	// name of the Secret. Example: bot-client-tls
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="name: write the name of a Secret: lower-case letters, digits, - and ."
	Name string `json:"name"`
}

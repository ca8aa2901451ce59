package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ChannelConnector connects one chat channel, such as a Zalo Official Account
// app, to a bot: the operator turns it into a running connector that takes the
// platform's webhook calls, stores each event durably, and delivers the events
// of each conversation in order to the sink.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=chc,categories=xbot
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.workload.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`,description="Kind of channel"
// +kubebuilder:printcolumn:name="App ID",type=string,JSONPath=`.spec..appID`,description="The platform's id of the app or bot, if the type has one"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="The connector takes calls with the configuration that is declared"
// +kubebuilder:printcolumn:name="Exposed",type=string,JSONPath=`.status.conditions[?(@.type=="Exposed")].status`,description="The webhook is reached from outside the cluster; empty if spec.exposure is not set"
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.webhookURL`,description="What to paste into the platform's console, with the API key in place of <key>"
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Why Ready has its value"
// +kubebuilder:printcolumn:name="Address",type=string,priority=1,JSONPath=`.status.address.url`,description="Where the connector is reached inside the cluster"
// +kubebuilder:printcolumn:name="Inbox",type=string,priority=1,JSONPath=`.spec.inbox.type`,description="Kind of durable store"
// +kubebuilder:printcolumn:name="Sink",type=string,priority=1,JSONPath=`.spec.sink.http.url`,description="Where events go"
// +kubebuilder:printcolumn:name="Replicas",type=integer,priority=1,JSONPath=`.status.replicas`,description="Pods that run"
// +kubebuilder:printcolumn:name="Backlog",type=integer,priority=1,JSONPath=`.status.traffic.pending`,description="Events that wait for the sink, roughly"
// +kubebuilder:printcolumn:name="Last Event",type=date,priority=1,JSONPath=`.status.traffic.lastEventTime`,description="When an event last came, to within 10 minutes"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ChannelConnector struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec declares the channel, where its events go, and how the connector
	// runs. The smallest useful one has type, what its member requires, and a sink.
	// +required
	Spec ChannelConnectorSpec `json:"spec"`
	// status is the operator's report. Until the operator has looked at a new
	// resource, the observedGeneration of -1 keeps Flux from taking it for ready.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ChannelConnectorStatus `json:"status,omitempty"`
}

// ChannelConnectorList is a list of ChannelConnectors.
//
// +kubebuilder:object:root=true
type ChannelConnectorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ChannelConnector `json:"items"`
}

// ChannelType names a kind of chat platform.
// +kubebuilder:validation:Enum=ZaloOA;AzureBot;FacebookMessenger;ZaloBot
type ChannelType string

// The types of channels.
const (
	// ChannelZaloOA is a Zalo Official Account app.
	ChannelZaloOA ChannelType = "ZaloOA"
	// ChannelAzureBot is a bot of Azure Bot Service.
	ChannelAzureBot ChannelType = "AzureBot"
	// ChannelFacebookMessenger is a Meta app with Facebook Pages or Instagram accounts.
	ChannelFacebookMessenger ChannelType = "FacebookMessenger"
	// ChannelZaloBot is a bot of the Zalo Bot platform.
	ChannelZaloBot ChannelType = "ZaloBot"
)

// ChannelConnectorSpec declares a channel. Exactly the member that type names is
// set.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'ZaloOA' || has(self.zaloOA)",fieldPath=".zaloOA",reason=FieldValueRequired,message="zaloOA: required for type ZaloOA: write zaloOA.appID and zaloOA.signature.secretKeyRefs"
// +kubebuilder:validation:XValidation:rule="self.type == 'ZaloOA' || !has(self.zaloOA)",fieldPath=".zaloOA",message="zaloOA: belongs to type ZaloOA: leave it out"
// +kubebuilder:validation:XValidation:rule="self.type != 'AzureBot' || has(self.azureBot)",fieldPath=".azureBot",reason=FieldValueRequired,message="azureBot: required for type AzureBot: write azureBot.appID"
// +kubebuilder:validation:XValidation:rule="self.type == 'AzureBot' || !has(self.azureBot)",fieldPath=".azureBot",message="azureBot: belongs to type AzureBot: leave it out"
// +kubebuilder:validation:XValidation:rule="self.type != 'ZaloOA' || !has(self.inbox.deduplicationWindow) || !self.inbox.deduplicationWindow.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') || duration(self.inbox.deduplicationWindow) >= duration('2h')",fieldPath=".inbox.deduplicationWindow",message="inbox.deduplicationWindow: Zalo retries for 1 h 50 min: write a duration from 2h to 720h, for example 24h"
// +kubebuilder:validation:XValidation:rule="self.type != 'ZaloOA' || !has(self.webhook.maxEventAge) || !self.webhook.maxEventAge.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') || duration(self.webhook.maxEventAge) == duration('0s') || duration(self.webhook.maxEventAge) >= duration('2h')",fieldPath=".webhook.maxEventAge",message="webhook.maxEventAge: Zalo retries for 1 h 50 min: write a duration from 2h to 8760h, for example 24h, or 0s to judge no age"
// +kubebuilder:validation:XValidation:rule="self.type != 'ZaloOA' || !has(self.webhook.path) || !self.webhook.path.startsWith('/zalo_verifier')",fieldPath=".webhook.path",message="webhook.path: /zalo_verifier… belongs to domain verification: write another path"
// +kubebuilder:validation:XValidation:rule="self.type != 'AzureBot' || !has(self.webhook.path) || !self.webhook.path.startsWith('/partner/xpbot/api/webchat/')",fieldPath=".webhook.path",message="webhook.path: /partner/xpbot/api/webchat/… belongs to the web chat: write another path"
// +kubebuilder:validation:XValidation:rule="self.type != 'FacebookMessenger' || has(self.facebookMessenger)",fieldPath=".facebookMessenger",reason=FieldValueRequired,message="facebookMessenger: required for type FacebookMessenger: write facebookMessenger.signature.secretKeyRefs and facebookMessenger.verifyTokenSecretKeyRef"
// +kubebuilder:validation:XValidation:rule="self.type == 'FacebookMessenger' || !has(self.facebookMessenger)",fieldPath=".facebookMessenger",message="facebookMessenger: belongs to type FacebookMessenger: leave it out"
// +kubebuilder:validation:XValidation:rule="self.type != 'FacebookMessenger' || !has(self.inbox.deduplicationWindow) || !self.inbox.deduplicationWindow.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') || duration(self.inbox.deduplicationWindow) >= duration('37h')",fieldPath=".inbox.deduplicationWindow",message="inbox.deduplicationWindow: Meta retries for 36 h: write a duration from 37h to 720h, for example 48h"
// +kubebuilder:validation:XValidation:rule="self.type != 'FacebookMessenger' || !has(self.webhook.maxEventAge) || !self.webhook.maxEventAge.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') || duration(self.webhook.maxEventAge) == duration('0s') || duration(self.webhook.maxEventAge) >= duration('37h')",fieldPath=".webhook.maxEventAge",message="webhook.maxEventAge: Meta retries for 36 h: write a duration from 37h to 8760h, for example 48h, or 0s to judge no age"
// +kubebuilder:validation:XValidation:rule="self.type != 'ZaloBot' || has(self.zaloBot)",fieldPath=".zaloBot",reason=FieldValueRequired,message="zaloBot: required for type ZaloBot: write zaloBot.secretToken.secretKeyRefs"
// +kubebuilder:validation:XValidation:rule="self.type == 'ZaloBot' || !has(self.zaloBot)",fieldPath=".zaloBot",message="zaloBot: belongs to type ZaloBot: leave it out"
// +kubebuilder:validation:XValidation:rule="!has(self.zaloBot) || !has(self.zaloBot.register) || !self.zaloBot.register || has(self.exposure)",fieldPath=".exposure",reason=FieldValueRequired,message="exposure: required with zaloBot.register: write how Zalo reaches the webhook from outside, or register: false and register it by hand"
// +kubebuilder:validation:XValidation:rule="self.inbox.type != 'Embedded' || self.workload.replicas <= 1",fieldPath=".workload.replicas",message="workload.replicas: an Embedded inbox belongs to one pod: write 0 or 1"
// +kubebuilder:validation:XValidation:rule="self.inbox.type != 'Embedded' || !has(self.inbox.embedded) || self.inbox.embedded.storage != 'Ephemeral' || !has(self.workload.resources) || !has(self.workload.resources.limits) || !('ephemeral-storage' in self.workload.resources.limits) || !isQuantity(string(self.workload.resources.limits['ephemeral-storage'])) || !isQuantity(string(self.inbox.embedded.size)) || quantity(string(self.workload.resources.limits['ephemeral-storage'])).asApproximateFloat() >= quantity(string(self.inbox.embedded.size)).asApproximateFloat() * 1.5 + 268435456.0",fieldPath=".workload.resources.limits",message="workload.resources.limits: ephemeral-storage: less than the volume of the Ephemeral inbox: write at least 1.5 times inbox.embedded.size and 256Mi, or leave it out"
// +kubebuilder:validation:XValidation:rule="!has(self.workload.networkPolicy) || (has(self.workload.networkPolicy.egress) && size(self.workload.networkPolicy.egress) > 0) || !has(self.sink.http) || !has(self.sink.http.urlSecretKeyRef) || (has(self.sink.http.proxy) && self.sink.http.proxy != 'none')",fieldPath=".workload.networkPolicy.egress",reason=FieldValueRequired,message="workload.networkPolicy.egress: required with sink.http.urlSecretKeyRef: write the rule that leads to the sink, because the operator must not tell a secret URL"
type ChannelConnectorSpec struct {
	// type is the kind of chat platform: ZaloOA, AzureBot, FacebookMessenger or
	// ZaloBot. It cannot be changed: create another resource instead.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="type: cannot be changed: create another ChannelConnector"
	Type ChannelType `json:"type"`
	// zaloOA is the Zalo Official Account app. Required for type ZaloOA.
	// +optional
	ZaloOA *ZaloOA `json:"zaloOA,omitempty"`
	// azureBot is the bot of Azure Bot Service. Required for type AzureBot.
	// +optional
	AzureBot *AzureBot `json:"azureBot,omitempty"`
	// facebookMessenger is the Meta app with its Facebook Pages or Instagram
	// accounts. Required for type FacebookMessenger.
	// +optional
	FacebookMessenger *FacebookMessenger `json:"facebookMessenger,omitempty"`
	// zaloBot is the bot of the Zalo Bot platform. Required for type ZaloBot.
	// +optional
	ZaloBot *ZaloBot `json:"zaloBot,omitempty"`
	// webhook is the way in: the platform calls it. Default: each field's own.
	// +optional
	// +kubebuilder:default={}
	Webhook Webhook `json:"webhook,omitempty"`
	// inbox is the durable store between the way in and the way out. Default:
	// Embedded, with each field's own default.
	// +optional
	// +kubebuilder:default={}
	Inbox Inbox `json:"inbox,omitempty"`
	// sink is the way out: where events are delivered.
	// +required
	Sink Sink `json:"sink"`
	// delivery says how events reach the sink. Default: each field's own.
	// +optional
	// +kubebuilder:default={}
	Delivery Delivery `json:"delivery,omitempty"`
	// workload says how the connector's pods run. Default: each field's own.
	// +optional
	// +kubebuilder:default={}
	Workload Workload `json:"workload,omitempty"`
	// exposure is how the platform reaches the webhook from outside the cluster.
	// Routed are the webhook's path, and the pages of domain verification if that
	// is declared. Default: inside the cluster only. Example: {ingress: {host:
	// hooks.example.com, tlsSecretName: hooks-tls}}
	// +optional
	Exposure *Exposure `json:"exposure,omitempty"`
}

// Channel is the member that a type of channel owns.
//
// +kubebuilder:object:generate=false
type Channel interface {
	// IgnoresSecrets reports whether the connector looks at none of the Secret keys in the
	// member's lists.
	IgnoresSecrets() bool
	// NextStep says what to do with the webhook's URL once the resource is declared.
	NextStep(url string) string
	// Shrink leaves out what may be large and only the connector reads.
	Shrink()
}

// Registrar is a Channel whose platform has no console: the operator can tell the platform where to call. The Secret keys
// that this takes have the tag connector:"-".
//
// +kubebuilder:object:generate=false
type Registrar interface {
	Channel
	// Registers reports whether the operator does.
	Registers() bool
}

// Channel returns the member that type names; nil if it is not set.
func (s *ChannelConnectorSpec) Channel() Channel {
	switch {
	case s.Type == ChannelZaloOA && s.ZaloOA != nil:
		return s.ZaloOA
	case s.Type == ChannelAzureBot && s.AzureBot != nil:
		return s.AzureBot
	case s.Type == ChannelFacebookMessenger && s.FacebookMessenger != nil:
		return s.FacebookMessenger
	case s.Type == ChannelZaloBot && s.ZaloBot != nil:
		return s.ZaloBot
	default:
		return nil
	}
}

// SecretKeyRef names one key of a Secret in the resource's own namespace.
type SecretKeyRef struct {
	// name of the Secret. Example: shop-zalo
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="name: write the name of a Secret: lower-case letters, digits, - and ."
	Name string `json:"name"`
	// key in the Secret's data. Example: oa-secret-key
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key: write a key of the Secret's data: letters, digits, -, _ and ."
	Key string `json:"key"`
}

// ChannelConnectorStatus is what the operator reports.
type ChannelConnectorStatus struct {
	// observedGeneration is the metadata.generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say how the connector is. Ready sums them up; Reconciling,
	// Stalled, UpdatePending, InboxGrowing, FieldContested and DefinitionOutdated
	// are present only while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// address is where the connector is reached inside the cluster.
	// +optional
	Address *Address `json:"address,omitempty"`
	// webhookURL is what to paste into the platform's console, with the API key in
	// place of <key>. Absent if there is no exposure, or if the address is another
	// resource's. Example:
	// https://hooks.example.com/webhook/xpbot/api/zalo/push?param.header.xp-api-key=<key>
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	WebhookURL string `json:"webhookURL,omitempty"`
	// registeredWebhook is what the platform was told last, its URL and secrets, as a
	// fingerprint that tells nothing of them. Absent until then, and without
	// registering.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	RegisteredWebhook string `json:"registeredWebhook,omitempty"`
	// apiKeySecretName is the Secret with the API key that the operator
	// generated, under the key xp-api-key. Empty when webhook.apiKeys is set.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	APIKeySecretName string `json:"apiKeySecretName,omitempty"`
	// expiringKeys are absent API keys and keys of the platform's signature: their
	// Secret, or the key in it, is gone or blank. They are accepted for 30 s more, so
	// that a Secret may be deleted and made again. If a key has another value, or the
	// spec no longer names it, it is not accepted at all.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	ExpiringKeys []ExpiringKey `json:"expiringKeys,omitempty"`
	// traffic is what the connector's pods told of their traffic. The conditions
	// SignatureVerified, Receiving, InboxHealthy, Delivering and DeadLetters judge it.
	// +optional
	Traffic *TrafficStatus `json:"traffic,omitempty"`
	// replicas is the number of pods.
	// +optional
	Replicas int32 `json:"replicas"`
	// selector selects the pods, as text, for the scale subresource.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Selector string `json:"selector,omitempty"`
}

// TrafficStatus is what the operator remembers of a connector's traffic. Numbers and
// times are rough, so that a steady traffic writes nothing: a number is at most twice
// or half the real one, a time at most 10 minutes old.
type TrafficStatus struct {
	// pending is how many accepted events wait for the sink.
	// +optional
	Pending int64 `json:"pending"`
	// deadLetters is how many events were given up and are kept.
	// +optional
	DeadLetters int64 `json:"deadLetters"`
	// lastEventTime is when an event last came.
	// +optional
	LastEventTime *metav1.Time `json:"lastEventTime,omitempty"`
	// lastCallTime is when an authentic call last came: an event, or a check by the
	// platform.
	// +optional
	LastCallTime *metav1.Time `json:"lastCallTime,omitempty"`
	// failingSince is since when the sink has taken no event; absent while it does.
	// +optional
	FailingSince *metav1.Time `json:"failingSince,omitempty"`
	// verifiedKeys are those keys of the platform's signature in use that have
	// verified a call, as fingerprints that tell nothing of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	VerifiedKeys []string `json:"verifiedKeys,omitempty"`
	// suspectedKeys are the keys of the platform's signature in use, if none of them
	// has ever verified a call and at least 20 calls over 10 minutes failed. Ready is
	// False then.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	SuspectedKeys []string `json:"suspectedKeys,omitempty"`
}

// ExpiringKey is a key that is accepted although it is absent.
type ExpiringKey struct {
	// secretName is the Secret's name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
	// key in the Secret's data.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
	// acceptedUntil is when the key goes out of use, unless it is back by then.
	// +required
	AcceptedUntil metav1.Time `json:"acceptedUntil"`
}

// Address is where something is reached; it makes the resource Addressable as
// Knative defines it.
type Address struct {
	// url is the Service's. Append webhook.path, or the type's own path, and the
	// query param.header.xp-api-key=<key> to push an event. Example:
	// http://shop-connector.chat.svc
	// +required
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url"`
}

// The condition types.
const (
	// ConditionReady is True when the declared configuration is written and the
	// workload is available at its current template.
	ConditionReady = "Ready"
	// ConditionReconciling is present and True while the operator works towards
	// the declaration.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True if the declaration cannot be reached
	// without help.
	ConditionStalled = "Stalled"
	// ConditionCredentialsResolved is True when every Secret key that the
	// resource names was found and can be used.
	ConditionCredentialsResolved = "CredentialsResolved"
	// ConditionWorkloadAvailable is True when a connector pod takes calls.
	ConditionWorkloadAvailable = "WorkloadAvailable"
	// ConditionExposed is True when the webhook is reached from outside the cluster as
	// spec.exposure declares. Absent without it. Ready does not depend on it.
	ConditionExposed = "Exposed"
	// ConditionWebhookRegistered is True when the operator has told the platform where
	// to call. Absent unless it is declared to. Ready does not depend on it.
	ConditionWebhookRegistered = "WebhookRegistered"
	// ConditionSignatureVerified is True when calls verify with a signing key in
	// use, and False if they do not, or need not.
	ConditionSignatureVerified = "SignatureVerified"
	// ConditionReceiving is True when authentic calls have come.
	ConditionReceiving = "Receiving"
	// ConditionInboxHealthy is False while events cannot be stored.
	ConditionInboxHealthy = "InboxHealthy"
	// ConditionDelivering is False while the sink does not take events.
	ConditionDelivering = "Delivering"
	// ConditionDeadLetters is True while there are events that were given up.
	ConditionDeadLetters = "DeadLetters"
	// ConditionUpdatePending is present and True while the workload waits for
	// its turn to get the pod template of this version of the operator.
	ConditionUpdatePending = "UpdatePending"
	// ConditionInboxGrowing is present and True while the inbox's volume is smaller
	// than the declared size needs. The inbox then has the size that fits.
	ConditionInboxGrowing = "InboxGrowing"
	// ConditionFieldContested is present and True while the operator leaves a field
	// of a child to another writer, or to an admission webhook.
	ConditionFieldContested = "FieldContested"
	// ConditionDefinitionOutdated is present and True while the
	// CustomResourceDefinition in the cluster is older than the operator.
	ConditionDefinitionOutdated = "DefinitionOutdated"
)

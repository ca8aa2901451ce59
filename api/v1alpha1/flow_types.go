package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Webhook is the way in.
type Webhook struct {
	// path is the URL path that the platform calls, without a query or escapes;
	// not "/", "/healthz", which load balancers check, or a page of the type. A
	// call with one slash more at the end is served as well. Default: that of the
	// type. Example: /webhook/xpbot/api/zalo/push
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="webhook.path: must start with /: write for example /webhook/xpbot/api/zalo/push"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') || (self.matches(\"^/[A-Za-z0-9._~!$&'()*+,;=:@/-]+$\") && !self.contains('//') && !self.matches('/[.][.]?(/|$)'))",message="webhook.path: write a plain URL path such as /webhook/xpbot/api/zalo/push, without a query, escapes, // or dot segments"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^/healthz/?$')",message="webhook.path: load balancers check /healthz: write another path"
	Path string `json:"path,omitempty"`
	// apiKeys are the accepted API keys; any one lets a call in. List the old and
	// the new one during a rotation. Default: the operator generates one and
	// names its Secret in status.apiKeySecretName.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	APIKeys []APIKey `json:"apiKeys,omitempty"`
	// maxEventAge is how old the timestamp of a call with a right signature may
	// be: 0s, which judges no age, or longer than the platform retries, as its
	// type says, and up to 8760h. An older one is answered 503 and counted
	// as "stale": it may be a replay, or our clock may be ahead, and then the
	// platform's retries keep the event. Longer than inbox.deduplicationWindow, it
	// lets a captured call in again. Default: inbox.deduplicationWindow.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') && duration(self) <= duration('8760h')",message="webhook.maxEventAge: write a duration up to 8760h, for example 24h, or 0s to judge no age"
	MaxEventAge *metav1.Duration `json:"maxEventAge,omitempty"`
	// maxBodySize is the largest body accepted, in bytes; a larger one is answered
	// 413. At most 64Mi. Default: 1Mi.
	// +optional
	// +kubebuilder:default="1Mi"
	// +kubebuilder:validation:XValidation:rule="!string(self).matches('[eE]') && isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1')) >= 0 && quantity(string(self)).compareTo(quantity('64Mi')) <= 0",message="webhook.maxBodySize: write a size from 1 to 64Mi, for example 1Mi"
	MaxBodySize resource.Quantity `json:"maxBodySize,omitempty"`
	// maxHeaderSize is the largest request line and header, in bytes from 1Ki to
	// 64Ki, and bounds all that is read of a connection before it has shown an API
	// key; a larger one is answered 431. A change restarts the pods. Default: 8Ki.
	// +optional
	// +kubebuilder:default="8Ki"
	// +kubebuilder:validation:XValidation:rule="!string(self).matches('[eE]') && isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Ki')) >= 0 && quantity(string(self)).compareTo(quantity('64Ki')) <= 0",message="webhook.maxHeaderSize: write a size from 1Ki to 64Ki, for example 8Ki"
	MaxHeaderSize resource.Quantity `json:"maxHeaderSize,omitempty"`
	// maxHeaderLines is the largest number of header lines of a call, 10 to 1000;
	// more are answered 431. A change restarts the pods. Default: 100.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:XValidation:rule="self >= 10 && self <= 1000",message="webhook.maxHeaderLines: write a number from 10 to 1000, for example 100"
	MaxHeaderLines int32 `json:"maxHeaderLines,omitempty"`
	// maxConnections is the number of connections at once, 16 to 1000000. Beyond it
	// one is closed that has shown less than the others, the oldest first: one without
	// an API key while those hold over 1/16 of the places, else one without a verified
	// call. Those that brought a new verified event are never closed for another, and
	// hold at most 7/8 of the places. Descriptors bound it too. A change restarts the
	// pods. Default: one for each 64Ki of the memory limit's 4/5, 3276 for 256Mi.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 16 && self <= 1000000",message="webhook.maxConnections: write a number from 16 to 1000000, for example 2048"
	MaxConnections int32 `json:"maxConnections,omitempty"`
	// events selects what is delivered by the platform's event name. Default:
	// every event.
	// +optional
	// +kubebuilder:default={}
	Events EventFilter `json:"events,omitempty"`
}

// APIKey is one accepted key.
type APIKey struct {
	// name tells keys apart, unique in the list. Example: "2026-11"
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="webhook.apiKeys.name: holds a line break or another control character: write for example 2026-11"
	Name string `json:"name"`
	// secretKeyRef names the Secret key that holds the API key.
	// +required
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}

// EventFilter selects events by name.
type EventFilter struct {
	// include lists patterns of events to deliver; "*" stands for any text.
	// Default: ["*"]. Example: ["user_send_*", follow]
	// +optional
	// +kubebuilder:default={"*"}
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Za-z0-9_.*-]+$')",message="webhook.events.include: write a pattern of event names, for example user_send_*"
	Include []string `json:"include,omitempty"`
	// exclude lists patterns to leave out, and wins over include. Leave out
	// oa_send_*, user_seen_message and user_received_message unless the bot must
	// see its own messages come back: a bot that answers those loops. Default:
	// none. Example: ["oa_send_*", user_seen_message, user_received_message]
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Za-z0-9_.*-]+$')",message="webhook.events.exclude: write a pattern of event names, for example oa_send_*"
	Exclude []string `json:"exclude,omitempty"`
}

// InboxType names a kind of store.
// +kubebuilder:validation:Enum=Embedded
type InboxType string

// InboxEmbedded is the store in the connector's own process, on its own volume.
const InboxEmbedded InboxType = "Embedded"

// Inbox is the durable store. Only the member that type names is set.
//
// +kubebuilder:validation:XValidation:rule="[self, oldSelf].exists(i, i.type != 'Embedded') || (has(self.embedded) ? self.embedded.storage : 'Persistent') == (has(oldSelf.embedded) ? oldSelf.embedded.storage : 'Persistent')",fieldPath=".embedded",message="inbox.embedded.storage: cannot be changed: create another ChannelConnector"
// +kubebuilder:validation:XValidation:rule="[self, oldSelf].exists(i, i.type != 'Embedded') || (has(self.embedded) ? self.embedded.storageClassName : \"\") == (has(oldSelf.embedded) ? oldSelf.embedded.storageClassName : \"\")",fieldPath=".embedded",message="inbox.embedded.storageClassName: cannot be changed: create another ChannelConnector"
// +kubebuilder:validation:XValidation:rule="[self, oldSelf].exists(i, i.type != 'Embedded') || (has(self.embedded) && (string(self.embedded.size).matches('[eE]') || !isQuantity(string(self.embedded.size)))) || quantity(has(self.embedded) ? string(self.embedded.size) : '1Gi').compareTo(quantity(has(oldSelf.embedded) ? string(oldSelf.embedded.size) : '1Gi')) >= 0",fieldPath=".embedded",message="inbox.embedded.size: can only grow, because volumes do not shrink: for a smaller inbox create another ChannelConnector"
type Inbox struct {
	// type is the kind of store: Embedded, the store in the connector's own
	// process. Default: Embedded.
	// +optional
	// +kubebuilder:default=Embedded
	Type InboxType `json:"type,omitempty"`
	// deduplicationWindow is how long an event's id is remembered, so that a
	// platform's retry is recognised: longer than the platform retries, as its type
	// says, and up to 720h. Default: that of the inbox, 24h for Embedded, and no
	// less than what the channel's type needs.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') && duration(self) > duration('0s') && duration(self) <= duration('720h')",message="inbox.deduplicationWindow: write a duration longer than 0s, up to 720h, for example 24h"
	DeduplicationWindow *metav1.Duration `json:"deduplicationWindow,omitempty"`
	// embedded is the store of type Embedded. Default: Persistent, 1Gi.
	// +optional
	Embedded *EmbeddedInbox `json:"embedded,omitempty"`
}

// Store returns the store of type Embedded, with its defaults where embedded is left
// out; nil for any other type.
func (i Inbox) Store() *EmbeddedInbox {
	if i.Type != InboxEmbedded {
		return nil
	}
	if i.Embedded == nil {
		return &EmbeddedInbox{Storage: StoragePersistent, Size: resource.MustParse(DefaultInboxSize)}
	}
	return i.Embedded
}

// Keeps reports whether the inbox is of type Embedded and on that kind of storage.
func (i Inbox) Keeps(on Storage) bool {
	store := i.Store()
	return store != nil && store.Storage == on
}

// DefaultInboxSize is the schema's default of inbox.embedded.size.
const DefaultInboxSize = "1Gi"

// Storage says what keeps an Embedded inbox.
// +kubebuilder:validation:Enum=Persistent;Ephemeral
type Storage string

const (
	// StoragePersistent is a PersistentVolumeClaim; it survives what the volume
	// survives, a node's reboot included.
	StoragePersistent Storage = "Persistent"
	// StorageEphemeral is an emptyDir; it survives crashes and restarts of the
	// container, and roll-outs while the sink answers. While one pod replaces
	// another, each has an inbox, and the order of a conversation may invert.
	StorageEphemeral Storage = "Ephemeral"
)

// EmbeddedInbox is a store on a volume of the pod. Only its size can be changed.
type EmbeddedInbox struct {
	// storage is Persistent (a PersistentVolumeClaim, kept when the resource is
	// deleted) or Ephemeral (an emptyDir: events that the sink has not taken when
	// the pod is deleted and its grace period ends are lost; and while a pod
	// replaces another, in a roll-out for example, both serve with an inbox each,
	// so that the order of a conversation may invert). Default: Persistent.
	// +optional
	// +kubebuilder:default=Persistent
	Storage Storage `json:"storage,omitempty"`
	// size bounds everything that the inbox has on disk, in bytes from 64Mi to
	// 16Ti; at the bound calls are answered 503 and deliveries go on. The volume
	// is half as large again and 256Mi more, for compaction. The size can grow:
	// Persistent without a restart, if the StorageClass allows volume expansion;
	// Ephemeral with a new pod. Default: 1Gi.
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="!string(self).matches('[eE]') && isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('64Mi')) >= 0 && quantity(string(self)).compareTo(quantity('16Ti')) <= 0",message="inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi"
	Size resource.Quantity `json:"size,omitempty"`
	// storageClassName is the class of the PersistentVolumeClaim. Default: "", the
	// cluster's default class. Example: fast-ssd
	// +optional
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == \"\" || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="inbox.embedded.storageClassName: write the name of a StorageClass, for example fast-ssd"
	StorageClassName string `json:"storageClassName,omitempty"`
}

// Ordering says which events wait for each other.
// +kubebuilder:validation:Enum=PerConversation;Unordered
type Ordering string

// The orderings.
const (
	PerConversation Ordering = "PerConversation"
	Unordered       Ordering = "Unordered"
)

// Delivery says how events reach the sink.
type Delivery struct {
	// paused accepts and holds events without delivering them. Default: false.
	// +optional
	// +kubebuilder:default=false
	Paused bool `json:"paused,omitempty"`
	// ordering is PerConversation, where an event waits until the one before it
	// in its conversation was taken or given up, or Unordered. A change applies
	// to events accepted after it. Default: PerConversation.
	// +optional
	// +kubebuilder:default=PerConversation
	Ordering Ordering `json:"ordering,omitempty"`
	// concurrency is the number of deliveries under way at once, 1 to 10000.
	// Default: 64.
	// +optional
	// +kubebuilder:default=64
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 10000",message="delivery.concurrency: write a number from 1 to 10000, for example 64"
	Concurrency int32 `json:"concurrency,omitempty"`
	// retry is the schedule after a failed attempt. Default: waits of up to 1s
	// that grow to 5m, for 24h.
	// +optional
	// +kubebuilder:default={}
	Retry Retry `json:"retry,omitempty"`
	// deadLetterRetention is how long an event that was given up is kept for
	// redrive: 1m to 8760h. Default: 168h.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') && duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="delivery.deadLetterRetention: write a duration from 1m to 8760h, for example 168h"
	DeadLetterRetention metav1.Duration `json:"deadLetterRetention,omitempty"`
}

// Retry is exponential backoff with full jitter. A sink's Retry-After is honoured
// when it is longer, up to 1 h.
//
// +kubebuilder:validation:XValidation:rule="!has(self.initialBackoff) || !has(self.maxBackoff) || ![self.initialBackoff, self.maxBackoff].all(d, d.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$')) || duration(self.maxBackoff) >= duration(self.initialBackoff)",fieldPath=".maxBackoff",message="delivery.retry.maxBackoff: must not be shorter than initialBackoff: write for example 5m"
type Retry struct {
	// initialBackoff bounds the wait after the first failed attempt; the bound
	// doubles with each further one: 10ms to 1h. Default: 1s.
	// +optional
	// +kubebuilder:default="1s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') && duration(self) >= duration('10ms') && duration(self) <= duration('1h')",message="delivery.retry.initialBackoff: write a duration from 10ms to 1h, for example 1s"
	InitialBackoff metav1.Duration `json:"initialBackoff,omitempty"`
	// maxBackoff is where the bound stops growing: up to 24h. Default: 5m.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') && duration(self) >= duration('10ms') && duration(self) <= duration('24h')",message="delivery.retry.maxBackoff: write a duration from 10ms to 24h, for example 5m"
	MaxBackoff metav1.Duration `json:"maxBackoff,omitempty"`
	// maxAge is how old an event may be, not counting paused time, before a
	// failed attempt makes it a dead letter: 1s to 720h. Every event gets at least
	// one attempt. Default: 24h.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h)){1,4}$') && duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="delivery.retry.maxAge: write a duration from 1s to 720h, for example 24h"
	MaxAge metav1.Duration `json:"maxAge,omitempty"`
}

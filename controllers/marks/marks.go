// Package marks lists every label and annotation that the operator writes or reads; no other package spells one out.
package marks

// The labels of every child, by which Kubernetes' tools group objects.
const (
	// LabelName is "channel-connector". Deployment and Service select pods by it.
	LabelName = "app.kubernetes.io/name"
	// LabelInstance is children.Instance of the ChannelConnector's name. Deployment and Service select pods by it; a
	// child that outlives its ChannelConnector has none.
	LabelInstance = "app.kubernetes.io/instance"
	// LabelComponent is "connector". For people.
	LabelComponent = "app.kubernetes.io/component"
	// LabelPartOf is "channel-connector". For people.
	LabelPartOf = "app.kubernetes.io/part-of"
	// LabelManagedBy is ManagedBy. The operator's caches hold only what has it.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelConnector is children.Instance of the ChannelConnector's name, also on pods. The operator finds the resource
	// of a child by it.
	LabelConnector = "xbot.a4b.vn/connector"
)

// ManagedBy is the value of LabelManagedBy.
const ManagedBy = "channel-connector-operator"

// OperatorName is the value of LabelName of the operator's own pods, however they were installed.
const OperatorName = "channel-connector-operator"

// Domain begins the names of the operator's own labels and annotations. Annotations that begin with it are never left
// to others.
const Domain = "xbot.a4b.vn/"

// The annotations of a ChannelConnector, which users write and the operator reads.
const (
	// AnnotationRegenerateAPIKey lets the operator replace a generated API key that was deleted. Each value works once,
	// so any text that was not used before will do. Example: "2026-11-25"
	AnnotationRegenerateAPIKey = "xbot.a4b.vn/regenerate-api-key" //nolint:gosec // the name of an annotation
	// AnnotationDeleteInbox with the value "true" lets the volume of a Persistent inbox be deleted together with the
	// resource. Without it the PersistentVolumeClaim stays, with the events that it holds.
	AnnotationDeleteInbox = "xbot.a4b.vn/delete-inbox"
)

// The annotations of every child, which the operator writes and reads.
const (
	// AnnotationConnector is the full name of the ChannelConnector that the child belongs to: a label's value may be
	// too short for it.
	AnnotationConnector = "xbot.a4b.vn/channel-connector"
	// AnnotationUID, on a child that outlives its ChannelConnector, is the uid of the one that it was made for; a claim's
	// is that of the one that uses it. By it the operator knows what an earlier one left.
	AnnotationUID = "xbot.a4b.vn/connector-uid"
	// AnnotationApplied is the digest of the apply configuration that the child was applied with, 16 hex digits.
	AnnotationApplied = "xbot.a4b.vn/applied"
)

// The annotations of the Secret with the configuration, which the operator writes and reads.
const (
	// AnnotationConfigDigest identifies the configuration, as render.Config.Digest does.
	AnnotationConfigDigest = "xbot.a4b.vn/config-digest"
	// AnnotationStartDigest is children.Input.StartDigest. Pods have it as well: another one replaces them.
	AnnotationStartDigest = "xbot.a4b.vn/start-digest"
	// AnnotationConfigWrittenAt is children.Input.ConfigWrittenAt in RFC 3339.
	AnnotationConfigWrittenAt = "xbot.a4b.vn/config-written-at"
	// AnnotationAPIKeyRegenerated is the value of AnnotationRegenerateAPIKey that was used last. The Secret with the
	// generated API key has it as well.
	AnnotationAPIKeyRegenerated = "xbot.a4b.vn/api-key-regenerated" //nolint:gosec // the name of an annotation
)

// The annotations of the Deployment, by which a later version of the operator knows what it finds.
const (
	// AnnotationTemplate is the pod template as it was applied, in JSON; in the operator's cache it is the digest of
	// that.
	AnnotationTemplate = "xbot.a4b.vn/pod-template"
	// AnnotationGeneration is the resource's generation that the Deployment was made from.
	AnnotationGeneration = "xbot.a4b.vn/generation"
	// AnnotationSpec is children.SpecDigest of the resource that the Deployment was made from, 16 hex digits: a change
	// of replicas alone is told from one that changes pods by it.
	AnnotationSpec = "xbot.a4b.vn/spec"
	// AnnotationUpgrading is "true" while children.Input.Upgrading is; otherwise absent.
	AnnotationUpgrading = "xbot.a4b.vn/upgrading"
)

// AnnotationIngressClass, on an Ingress, is the class that the resource declares; empty for the cluster's default, which
// is filled in when an Ingress is made. By it the operator knows that the resource has come to declare another one.
const AnnotationIngressClass = "xbot.a4b.vn/ingress-class"

// AnnotationTouched on a pod says which configuration the pod was told of, and how often: "<digest>-<times>". The
// operator writes and reads it; that it changes makes kubelet refresh the pod's files.
const AnnotationTouched = "xbot.a4b.vn/config-touched"

// Unprunable are annotations for which Argo CD and Flux, whatever the tracking, neither delete an object nor call it
// superfluous. The operator writes them on what outlives a ChannelConnector.
//
// Sources: "Sync Options" and "Compare Options" of Argo CD's user guide; "Garbage collection" of Flux's
// kustomize-controller.
var Unprunable = map[string]string{
	"argocd.argoproj.io/sync-options":    "Prune=false,Delete=false",
	"argocd.argoproj.io/compare-options": "IgnoreExtraneous",
	"kustomize.toolkit.fluxcd.io/prune":  "disabled",
}

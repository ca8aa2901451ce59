// Package status computes the status of a ChannelConnector: pure functions from one pass's observation to conditions.
//
// The conditions follow kstatus, by which kubectl, Argo CD and Flux judge health: Reconciling and Stalled are present
// only while they are True, and never together; Ready is True only if nothing is left to do. The only counters and
// times are those of the traffic, which are rough: the status of a settled resource is never written.
package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// The reasons of conditions, except those of credentials, workload and traffic.
const (
	ReasonReady                = "Ready"
	ReasonResolved             = "Resolved"
	ReasonResolvedWithWarnings = "ResolvedWithWarnings"
	ReasonConfigRefused        = "ConfigurationRefused"
	ReasonNameTaken            = "NameTaken"
	ReasonApplyRefused         = "ApplyRefused"
	ReasonApplyFailed          = "ApplyFailed"
	ReasonNotJudged            = "NotJudged"
	ReasonSecretUnreadable     = "SecretUnreadable"
	ReasonWaitsForTurn         = "WaitsForTurn"
	ReasonUpgradesStopped      = "UpgradesStopped"
	ReasonUpgradeFailed        = "UpgradeFailed" // of an event
	ReasonFieldsMissing        = "FieldsMissing"
	ReasonWrittenByOthers      = "WrittenByOthers"
	ReasonResizeRefused        = "ResizeRefused"
	ReasonResizeFailed         = "ResizeFailed"
	ReasonFileSystemPending    = "FileSystemResizePending"
	ReasonVolumeResizing       = "VolumeResizing"
	ReasonVolumeTooSmall       = "VolumeTooSmall"
	ReasonChangedOnAdmission   = "ChangedOnAdmission"
	ReasonInboxFull            = "InboxFull"
	ReasonInboxFailing         = "InboxFailing"
	ReasonNamespaceFull        = "NamespaceFull"
	ReasonNotAllowed           = "NotAllowed"
)

// Observation is what one pass found.
type Observation struct {
	// Connector is the resource, with the status that it had.
	Connector *v1alpha1.ChannelConnector
	// Judged reports whether its credentials were judged; Findings are the result.
	Judged   bool
	Findings []credentials.Finding
	// Unread reports whether some Secret could not be read.
	Unread bool
	// Expiring are keys that are accepted although they are absent.
	Expiring []v1alpha1.ExpiringKey
	// Obstacle kept the children from being written; nil if they were.
	Obstacle *Obstacle
	// ConfigWritten reports whether a configuration is in the cluster: the declared one, or the last good one if findings or
	// an obstacle block that.
	ConfigWritten bool
	Workload
	// UpdatePending reports whether the workload waits for its turn to be upgraded. UpgradesStopped reports whether other
	// connectors must come up first.
	UpdatePending, UpgradesStopped bool
	// DefinitionOutdated says what the CustomResourceDefinition lacks; empty for nothing.
	DefinitionOutdated string
	// Contests are the fields of children that are left to others for a while.
	Contests []apply.Contest
	// URL is where the connector is reached in the cluster; empty: where the resource declares.
	URL string
	// Growth is how an inbox that is smaller than declared comes to grow; nil for any other.
	Growth *Growth
	// APIKeySecretName is the Secret with the generated API key, if any.
	APIKeySecretName string
	// Exposure is the way to the webhook from outside the cluster.
	Exposure Exposure
	// Registration is how far the operator is in telling the platform of it; nil if it is not to.
	Registration *Registration
	// Traffic is a new assessment of the connector's traffic; nil while the one that the status holds stands.
	Traffic *traffic.Assessment
}

// Workload is the workload after the writes of a pass.
type Workload struct {
	// Deployment is nil while there is none.
	Deployment *appsv1.Deployment
	// Unchanged reports whether the Deployment's spec is that of its last roll-out, so that its status counts although its
	// controller has yet to observe the newest generation.
	Unchanged bool
	// Pods are the Deployment's.
	Pods []corev1.Pod
	// Now is when these were looked at.
	Now time.Time
	// Warnings are those of events where the Deployment and its pods are Silent; Quoted is the one that the status
	// quoted last, nil for none.
	Warnings []Warning
	Quoted   *Warning
}

// Obstacle is a reason, outside the resource, why its children could not be written.
type Obstacle struct {
	Reason, Message string
	// Stalled reports whether waiting does not help.
	Stalled bool
}

// condition is one of the resource's conditions, before it is set.
type condition struct {
	status          metav1.ConditionStatus
	reason, message string
	// stalled reports, where status is False, whether waiting does not help.
	stalled bool
}

// Compute returns the status. What did not change keeps its times.
func Compute(o Observation) v1alpha1.ChannelConnectorStatus {
	c := o.Connector
	s := v1alpha1.ChannelConnectorStatus{
		ObservedGeneration: c.Generation,
		Conditions:         slices.Clone(c.Status.Conditions),
		Address:            &v1alpha1.Address{URL: cmp.Or(o.URL, children.URL(c))},
		WebhookURL:         webhookURL(o),
		APIKeySecretName:   o.APIKeySecretName,
		ExpiringKeys:       o.Expiring,
		Selector:           labels.SelectorFromSet(children.Selector(c.Name)).String(),
	}
	if !o.Judged { // nor are their times
		s.ExpiringKeys = c.Status.ExpiringKeys
	}
	if o.Registration != nil {
		s.RegisteredWebhook = o.Registration.Fingerprint
	}
	if o.Deployment != nil {
		s.Replicas = o.Deployment.Status.Replicas
	}
	set := func(kind string, v condition) {
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{
			Type: kind, Status: v.status, Reason: v.reason, Message: Shorten(v.message), ObservedGeneration: c.Generation,
		})
	}
	s.Traffic = judgeTraffic(o, set, &s.Conditions)
	available := workload(o)
	ready := readiness(o, available, s)
	set(v1alpha1.ConditionReady, ready)
	set(v1alpha1.ConditionCredentialsResolved, resolved(o))
	set(v1alpha1.ConditionWorkloadAvailable, available)
	for kind, v := range map[string]*condition{
		v1alpha1.ConditionReconciling:        onlyWhen(ready.status == metav1.ConditionFalse && !ready.stalled, ready.reason, ready.message),
		v1alpha1.ConditionStalled:            onlyWhen(ready.status == metav1.ConditionFalse && ready.stalled, ready.reason, ready.message),
		v1alpha1.ConditionExposed:            exposed(o),
		v1alpha1.ConditionWebhookRegistered:  registered(o),
		v1alpha1.ConditionUpdatePending:      updatePending(o),
		v1alpha1.ConditionInboxGrowing:       growing(o),
		v1alpha1.ConditionFieldContested:     contested(o.Contests),
		v1alpha1.ConditionDefinitionOutdated: onlyWhen(o.DefinitionOutdated != "", ReasonFieldsMissing, o.DefinitionOutdated),
	} {
		if v != nil {
			set(kind, *v)
		} else {
			meta.RemoveStatusCondition(&s.Conditions, kind)
		}
	}
	slices.SortFunc(s.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	return s
}

// maxMessage bounds a message, in bytes, since those of containers and webhooks may be long. The API server takes no
// event with a longer one.
const maxMessage = 1024

// Shorten cuts a message to what conditions and events may hold.
func Shorten(message string) string { return traffic.Cut(message, maxMessage) }

// readiness sums everything up. The first that applies decides.
func readiness(o Observation, available condition, s v1alpha1.ChannelConnectorStatus) condition {
	blocking := blocking(o.Findings)
	switch {
	case len(blocking) > 0 && !blocking[0].Passing:
		return unresolved(o, blocking)
	case o.Obstacle != nil:
		return condition{metav1.ConditionFalse, o.Obstacle.Reason, o.Obstacle.Message + lastGood(o), o.Obstacle.Stalled}
	case available.status == metav1.ConditionFalse:
		return available
	case !o.rolledOut():
		return notYet(o, rollingOut(o.Deployment))
	case available.reason == ReasonScaledToZero:
		return available
	case len(blocking) > 0:
		return condition{status: metav1.ConditionFalse, reason: blocking[0].Reason, message: messages(blocking) + next(o)}
	}
	if v := refusing(o, s); v != nil {
		return *v
	}
	return condition{status: metav1.ConditionTrue, reason: ReasonReady, message: "The connector takes calls with the declared configuration"}
}

// unresolved says what is wrong with credentials, and what else is in the way.
func unresolved(o Observation, blocking []credentials.Finding) condition {
	message := messages(blocking)
	if o.Obstacle != nil {
		message += ". " + o.Obstacle.Message + lastGood(o)
	}
	return condition{metav1.ConditionFalse, blocking[0].Reason, message, true}
}

// LastGood ends a message if the connector serves although something is wrong.
const LastGood = ". The last good configuration keeps serving"

func lastGood(o Observation) string {
	if o.Obstacle != nil && o.Obstacle.Reason == ReasonNotAllowed && o.Deployment != nil && o.Deployment.Status.AvailableReplicas > 0 {
		return ". The pods stay as they were"
	}
	if o.ConfigWritten && o.Deployment != nil && o.Deployment.Status.AvailableReplicas > 0 {
		return LastGood
	}
	return ""
}

func resolved(o Observation) condition {
	blocking := blocking(o.Findings)
	switch {
	case !o.Judged:
		return condition{status: metav1.ConditionUnknown, reason: ReasonNotJudged, message: "The Secrets were not looked at: Ready says why"}
	case len(blocking) > 0:
		return condition{status: metav1.ConditionFalse, reason: blocking[0].Reason, message: messages(blocking) + next(o)}
	case o.Unread:
		return condition{status: metav1.ConditionUnknown, reason: ReasonSecretUnreadable, message: "A Secret could not be read, and what was " +
			"read of it before stays in use: Ready says why"}
	case len(o.Findings) > 0:
		return condition{status: metav1.ConditionTrue, reason: ReasonResolvedWithWarnings, message: messages(o.Findings)}
	}
	return condition{status: metav1.ConditionTrue, reason: ReasonResolved, message: "Every Secret key that the resource names was found"}
}

// next is the user's step after declaring a channel, if its platform shows a secret only after that.
func next(o Observation) string {
	if first := blocking(o.Findings)[0]; !first.Passing {
		return ""
	}
	key := "<API key>"
	if o.APIKeySecretName != "" {
		key = fmt.Sprintf("<key %q of Secret %q>", credentials.GeneratedKey, o.APIKeySecretName)
	}
	c := o.Connector
	inside := fmt.Sprintf("%s%s?param.header.xp-api-key=%s", cmp.Or(o.URL, children.URL(c)), render.Path(c), keyPlaceholder)
	declared := c.Spec.Channel()
	if declared == nil {
		return ""
	}
	return ". Next: " + declared.NextStep(strings.TrimSuffix(cmp.Or(webhookURL(o), inside), keyPlaceholder)+key)
}

// blocking returns the findings that block, with those that pass by themselves at the end.
func blocking(findings []credentials.Finding) []credentials.Finding {
	of := func(passing bool) []credentials.Finding {
		return slices.DeleteFunc(slices.Clone(findings), func(f credentials.Finding) bool { return !f.Blocking || f.Passing != passing })
	}
	return append(of(false), of(true)...)
}

func messages(findings []credentials.Finding) string {
	all := make([]string, len(findings))
	for i, f := range findings {
		all[i] = f.Message
		if f.Meanwhile != "" {
			all[i] += ". Meanwhile " + f.Meanwhile
		}
	}
	return strings.Join(all, ". ")
}

// onlyWhen is a condition that is present only while it is True.
func onlyWhen(present bool, reason, message string) *condition {
	if !present {
		return nil
	}
	return &condition{status: metav1.ConditionTrue, reason: reason, message: message}
}

func updatePending(o Observation) *condition {
	switch {
	case !o.UpdatePending:
		return nil
	case o.UpgradesStopped:
		return &condition{status: metav1.ConditionTrue, reason: ReasonUpgradesStopped, message: "Connectors did not come up with the pod " +
			"template of this version of the operator, two of this namespace or one in each of several: see the events UpgradeFailed. Any change " +
			"of the spec but its replicas and inbox.embedded.size upgrades this one now"}
	}
	return &condition{status: metav1.ConditionTrue, reason: ReasonWaitsForTurn, message: "The pod template of this version of the operator " +
		"comes when it is this connector's turn; until then the one before serves"}
}

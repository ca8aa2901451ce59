// Package status says how a ChannelConnector is: pure functions from what was
// observed to conditions that mean the same at every moment.
//
// The conditions follow kstatus, by which kubectl, Argo CD and Flux judge health:
// Reconciling and Stalled are there only while they are True and never together,
// Ready is True only when there is nothing left to do. They hold no counters and
// no times, so that a settled resource is never written.
package status

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
)

// The reasons of conditions, besides those of credentials and of the workload.
const (
	ReasonReady                = "Ready"
	ReasonResolved             = "Resolved"
	ReasonResolvedWithWarnings = "ResolvedWithWarnings"
	ReasonConfigRefused        = "ConfigurationRefused"
	ReasonNameTaken            = "NameTaken"
	ReasonApplyRefused         = "ApplyRefused"
	ReasonWaitsForTurn         = "WaitsForTurn"
	ReasonUpgradesStopped      = "UpgradesStopped"
	ReasonFieldsMissing        = "FieldsMissing"
)

// Observation is what one pass found.
type Observation struct {
	// Connector is the resource, with the status that it had.
	Connector *v1alpha1.ChannelConnector
	// Judged says that its credentials were looked at, Findings what was found.
	Judged   bool
	Findings []credentials.Finding
	// Obstacle is what kept the children from being written; nil when they were.
	Obstacle *Obstacle
	// ConfigWritten says that a configuration is in the cluster: the one that is
	// declared, or the last good one where findings or an obstacle are in the way.
	ConfigWritten bool
	// Deployment is nil while there is none.
	Deployment *appsv1.Deployment
	// Pods are the Deployment's.
	Pods []corev1.Pod
	// UpdatePending says that the workload waits for its turn to be upgraded, and
	// UpgradesStopped that the turn will not come by itself.
	UpdatePending, UpgradesStopped bool
	// DefinitionOutdated says what the CustomResourceDefinition lacks, if anything.
	DefinitionOutdated string
	// APIKeySecretName is the Secret with the generated API key, if any.
	APIKeySecretName string
}

// Obstacle is something in the way that the resource alone cannot tell.
type Obstacle struct {
	Reason, Message string
	// Stalled says that somebody's help is needed.
	Stalled bool
}

// verdict is a condition in the making.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
	// stalled says, where status is False, that waiting does not help.
	stalled bool
}

// Compute returns the status. What did not change keeps its times.
func Compute(o Observation) v1alpha1.ChannelConnectorStatus {
	c := o.Connector
	s := v1alpha1.ChannelConnectorStatus{
		ObservedGeneration: c.Generation,
		Conditions:         slices.Clone(c.Status.Conditions),
		Address:            &v1alpha1.Address{URL: children.URL(c)},
		APIKeySecretName:   o.APIKeySecretName,
		Selector:           labels.SelectorFromSet(children.Selector(c.Name)).String(),
	}
	if o.Deployment != nil {
		s.Replicas = o.Deployment.Status.Replicas
	}
	set := func(kind string, v verdict) {
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{
			Type: kind, Status: v.status, Reason: v.reason, Message: Shorten(v.message), ObservedGeneration: c.Generation,
		})
	}
	available := workload(o)
	ready := readiness(o, available)
	set(v1alpha1.ConditionReady, ready)
	if o.Judged {
		set(v1alpha1.ConditionCredentialsResolved, resolved(o.Findings))
	}
	set(v1alpha1.ConditionWorkloadAvailable, available)
	for kind, v := range map[string]*verdict{
		v1alpha1.ConditionReconciling:        onlyWhen(ready.status == metav1.ConditionFalse && !ready.stalled, ready.reason, ready.message),
		v1alpha1.ConditionStalled:            onlyWhen(ready.status == metav1.ConditionFalse && ready.stalled, ready.reason, ready.message),
		v1alpha1.ConditionUpdatePending:      updatePending(o),
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

// maxMessage bounds a message, in bytes: what containers and webhooks say may be
// long. The API server takes no event with a longer one.
const maxMessage = 1024

// Shorten cuts a message to what conditions and events may hold.
func Shorten(message string) string {
	const more = "…"
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-len(more)], "") + more
}

// readiness sums everything up. The first that applies decides.
func readiness(o Observation, available verdict) verdict {
	switch blocking := blocking(o.Findings); {
	case len(blocking) > 0:
		return verdict{metav1.ConditionFalse, blocking[0].Reason, messages(blocking) + lastGood(o), true}
	case o.Obstacle != nil:
		return verdict{metav1.ConditionFalse, o.Obstacle.Reason, o.Obstacle.Message + lastGood(o), o.Obstacle.Stalled}
	case available.status == metav1.ConditionFalse:
		return available
	case !RolledOut(o.Deployment):
		return notYet(o, verdict{reason: ReasonRollingOut, message: "The pod of the declared template is not available yet"})
	case available.reason == ReasonScaledToZero:
		return available
	}
	return verdict{status: metav1.ConditionTrue, reason: ReasonReady, message: "The connector takes calls with the declared configuration"}
}

// LastGood ends a message where something is served although something is wrong.
const LastGood = ". The last good configuration keeps serving"

func lastGood(o Observation) string {
	if o.ConfigWritten && o.Deployment != nil && o.Deployment.Status.AvailableReplicas > 0 {
		return LastGood
	}
	return ""
}

func resolved(findings []credentials.Finding) verdict {
	if blocking := blocking(findings); len(blocking) > 0 {
		return verdict{status: metav1.ConditionFalse, reason: blocking[0].Reason, message: messages(blocking)}
	}
	if len(findings) > 0 {
		return verdict{status: metav1.ConditionTrue, reason: ReasonResolvedWithWarnings, message: messages(findings)}
	}
	return verdict{status: metav1.ConditionTrue, reason: ReasonResolved, message: "Every Secret key that the resource names was found"}
}

func blocking(findings []credentials.Finding) []credentials.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f credentials.Finding) bool { return !f.Blocking })
}

func messages(findings []credentials.Finding) string {
	all := make([]string, len(findings))
	for i, f := range findings {
		all[i] = f.Message
	}
	return strings.Join(all, "; ")
}

// onlyWhen is a condition that is there only while it is True.
func onlyWhen(present bool, reason, message string) *verdict {
	if !present {
		return nil
	}
	return &verdict{status: metav1.ConditionTrue, reason: reason, message: message}
}

func updatePending(o Observation) *verdict {
	switch {
	case !o.UpdatePending:
		return nil
	case o.UpgradesStopped:
		return &verdict{status: metav1.ConditionTrue, reason: ReasonUpgradesStopped, message: "Another connector did not come up with the pod template of this version of the operator: see the event UpgradesStopped there. Any change of the spec upgrades this one now"}
	}
	return &verdict{status: metav1.ConditionTrue, reason: ReasonWaitsForTurn, message: "The pod template of this version of the operator comes when it is this connector's turn; until then the one before serves"}
}

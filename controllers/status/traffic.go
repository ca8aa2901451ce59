package status

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// inboxPatience is for how long storing events may fail before the resource is not Ready. Most failures pass by
// themselves.
const inboxPatience = 2 * time.Minute

// judgeTraffic sets the conditions of the traffic, and returns the part of the status that it is judged by the next
// time. Without a new assessment the old one stands.
func judgeTraffic(o Observation, set func(string, condition), conditions *[]metav1.Condition) *v1alpha1.TrafficStatus {
	v := traffic.Standing(o.Connector.Status)
	if o.Traffic != nil {
		v = *o.Traffic
	}
	missing := sinkLacks(o)
	for _, kind := range traffic.Types {
		c := v.Find(kind)
		switch {
		case kind == v1alpha1.ConditionDelivering && len(missing) > 0:
			set(kind, condition{status: metav1.ConditionFalse, reason: traffic.ReasonCredentialMissing, message: messages(missing)})
		case c == nil || c.Reason == traffic.ReasonCredentialMissing && o.Judged && !o.Unread:
			meta.RemoveStatusCondition(conditions, kind)
		default:
			set(kind, condition{status: c.Status, reason: c.Reason, message: c.Message})
		}
	}
	return v.Traffic.DeepCopy()
}

// sinkLacks are the findings of credentials that the sink needs and that cannot be used.
func sinkLacks(o Observation) []credentials.Finding {
	return slices.DeleteFunc(slices.Clone(o.Findings), func(f credentials.Finding) bool { return !f.Sink })
}

// refusing says that the connector runs but refuses calls that it should take; nil if it does not. While that is
// unknown, the last condition stands.
func refusing(o Observation, s v1alpha1.ChannelConnectorStatus) *condition {
	const noEvents = "The connector runs, and events cannot be stored for more than 2 minutes: InboxHealthy says why. Calls are answered 503"
	before := meta.FindStatusCondition(o.Connector.Status.Conditions, v1alpha1.ConditionReady)
	inbox := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionInboxHealthy)
	stuck := condition{status: metav1.ConditionFalse, message: noEvents, stalled: true}
	switch {
	case inbox == nil || inbox.Status == metav1.ConditionTrue:
	case inbox.Status == metav1.ConditionUnknown:
		if before != nil && (before.Reason == ReasonInboxFull || before.Reason == ReasonInboxFailing) {
			stuck.reason = before.Reason
		}
	case InboxPatience(s, o.Now) > 0:
	case inbox.Reason == traffic.ReasonFull:
		stuck.reason = ReasonInboxFull
	default:
		stuck.reason = ReasonInboxFailing
	}
	if stuck.reason == "" && s.Traffic != nil && len(s.Traffic.SuspectedKeys) > 0 {
		stuck.reason = traffic.ReasonWrongSecretSuspected
		stuck.message = "No call ever verified with the " + types.Channel(string(o.Connector.Spec.Type)).Words.SecretName +
			"s in use, and at least 20 over 10 minutes failed: SignatureVerified says which secret is wanted"
	}
	if stuck.reason == "" {
		return nil
	}
	return &stuck
}

// InboxPatience is for how long the resource stays Ready although no events are stored; 0 if it does not, or if they
// are.
func InboxPatience(s v1alpha1.ChannelConnectorStatus, now time.Time) time.Duration {
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionInboxHealthy)
	if c == nil || c.Status != metav1.ConditionFalse {
		return 0
	}
	// A clock that was ahead prolongs nothing.
	return min(inboxPatience, max(0, inboxPatience-now.Sub(c.LastTransitionTime.Time)))
}

package status

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// inboxPatience is how long events may not be stored before the resource is not Ready:
// most of what is in the way passes by itself.
const inboxPatience = 2 * time.Minute

// judgeTraffic sets the conditions that the traffic has, and returns what is to be
// remembered of it. Where there is no new verdict, the old one stands.
func judgeTraffic(o Observation, set func(string, verdict), conditions *[]metav1.Condition) *v1alpha1.TrafficStatus {
	v := traffic.Standing(o.Connector.Status)
	if o.Traffic != nil {
		v = *o.Traffic
	}
	missing := sinkLacks(o)
	for _, kind := range traffic.Types {
		c := v.Find(kind)
		switch {
		case kind == v1alpha1.ConditionDelivering && len(missing) > 0:
			set(kind, verdict{status: metav1.ConditionFalse, reason: traffic.ReasonCredentialMissing, message: messages(missing)})
		case c == nil || c.Reason == traffic.ReasonCredentialMissing:
			meta.RemoveStatusCondition(conditions, kind)
		default:
			set(kind, verdict{status: c.Status, reason: c.Reason, message: c.Message})
		}
	}
	return v.Traffic.DeepCopy()
}

// sinkLacks are the credentials that the sink must be called with and that cannot be
// used.
func sinkLacks(o Observation) []credentials.Finding {
	return slices.DeleteFunc(slices.Clone(o.Findings), func(f credentials.Finding) bool { return !f.Sink })
}

// refusing says that the connector runs and refuses what it should take; nil while it
// does not.
func refusing(o Observation, s v1alpha1.ChannelConnectorStatus) *verdict {
	stuck := func(reason string, c *metav1.Condition) *verdict {
		return &verdict{status: metav1.ConditionFalse, reason: reason, message: c.Message, stalled: true}
	}
	if c := inboxFails(s); c != nil && InboxPatience(s, o.Now) == 0 {
		if c.Reason == traffic.ReasonFull {
			return stuck(ReasonInboxFull, c)
		}
		return stuck(ReasonInboxFailing, c)
	}
	signature := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionSignatureVerified)
	if signature != nil && signature.Reason == traffic.ReasonWrongSecretSuspected && s.Traffic != nil && len(s.Traffic.SuspectedKeys) > 0 {
		return stuck(traffic.ReasonWrongSecretSuspected, signature)
	}
	return nil
}

// inboxFails returns the condition that says that no events are stored; nil while they
// are.
func inboxFails(s v1alpha1.ChannelConnectorStatus) *metav1.Condition {
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionInboxHealthy)
	if c == nil || c.Status != metav1.ConditionFalse {
		return nil
	}
	return c
}

// InboxPatience is how long the resource stays Ready although no events are stored; 0
// when no longer, or when they are.
func InboxPatience(s v1alpha1.ChannelConnectorStatus, now time.Time) time.Duration {
	c := inboxFails(s)
	if c == nil {
		return 0
	}
	return max(0, inboxPatience-now.Sub(c.LastTransitionTime.Time))
}

package traffic

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// Types are the condition types that are judged by the traffic, in their order.
var Types = []string{
	v1alpha1.ConditionDeadLetters, v1alpha1.ConditionDelivering, v1alpha1.ConditionInboxHealthy,
	v1alpha1.ConditionReceiving, v1alpha1.ConditionSignatureVerified,
}

// Assessment is what the status says of a ChannelConnector's traffic.
type Assessment struct {
	// Conditions have a type of Types, status, reason and message, and nothing else.
	Conditions []metav1.Condition
	// Traffic is the part of the status that the next assessment needs.
	Traffic *v1alpha1.TrafficStatus
}

// Standing is the assessment that a status holds; it has no conditions if there is none.
func Standing(s v1alpha1.ChannelConnectorStatus) Assessment {
	v := Assessment{Traffic: s.Traffic}
	if s.Traffic == nil {
		return v
	}
	for _, kind := range Types {
		if c := meta.FindStatusCondition(s.Conditions, kind); c != nil {
			v.Conditions = append(v.Conditions, metav1.Condition{Type: kind, Status: c.Status, Reason: c.Reason, Message: c.Message})
		}
	}
	return v
}

// Find returns the condition of a type, nil where there is none.
func (v Assessment) Find(kind string) *metav1.Condition {
	return meta.FindStatusCondition(v.Conditions, kind)
}

// outline is a condition without its words.
func (v Assessment) outline(kind string) string {
	c := v.Find(kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

func (v Assessment) equal(other Assessment) bool {
	return slices.Equal(v.Conditions, other.Conditions) && equality.Semantic.DeepEqual(v.Traffic, other.Traffic)
}

// withNumbers returns the assessment with the numbers of another one.
func (v Assessment) withNumbers(other Assessment) Assessment {
	v.Traffic = v.Traffic.DeepCopy()
	v.Traffic.Pending, v.Traffic.DeadLetters = other.Traffic.Pending, other.Traffic.DeadLetters
	return v
}

// with returns the assessment with a condition of another one, and the fields that belong to it.
func (v Assessment) with(kind string, other Assessment) Assessment {
	v.Conditions, v.Traffic = slices.Clone(v.Conditions), v.Traffic.DeepCopy()
	meta.RemoveStatusCondition(&v.Conditions, kind)
	if c := other.Find(kind); c != nil {
		v.Conditions = append(v.Conditions, *c)
		slices.SortFunc(v.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	}
	if other.Traffic == nil {
		return v
	}
	switch kind {
	case v1alpha1.ConditionDelivering:
		v.Traffic.FailingSince = other.Traffic.FailingSince
	case v1alpha1.ConditionSignatureVerified:
		v.Traffic.SuspectedKeys = other.Traffic.SuspectedKeys
	}
	return v
}

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

// Verdict is what the traffic of a ChannelConnector means.
type Verdict struct {
	// Conditions have a type of Types, status, reason and message, and nothing else.
	Conditions []metav1.Condition
	// Traffic is what the status remembers.
	Traffic *v1alpha1.TrafficStatus
}

// Standing is the verdict that a status holds; it has no conditions where there never
// was one.
func Standing(s v1alpha1.ChannelConnectorStatus) Verdict {
	v := Verdict{Traffic: s.Traffic}
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
func (v Verdict) Find(kind string) *metav1.Condition {
	return meta.FindStatusCondition(v.Conditions, kind)
}

// outline is what of a verdict is news at once: all but words, numbers and times.
func (v Verdict) outline() string {
	var b strings.Builder
	for _, c := range v.Conditions {
		b.WriteString(c.Type + "=" + string(c.Status) + " " + c.Reason + "\n")
	}
	if v.Traffic != nil {
		b.WriteString(strings.Join(v.Traffic.SuspectedKeys, " "))
	}
	return b.String()
}

func (v Verdict) equal(other Verdict) bool {
	return slices.Equal(v.Conditions, other.Conditions) && equality.Semantic.DeepEqual(v.Traffic, other.Traffic)
}

// confirms reports whether a second verdict says what the first did, where both are
// other than what stands.
func (v Verdict) confirms(first, standing Verdict) bool {
	if v.outline() != standing.outline() {
		return v.outline() == first.outline()
	}
	return v.equal(first)
}

package status_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// traffics are the verdicts of a traffic that is well, but for some conditions.
func traffics(suspected []string, but ...metav1.Condition) *traffic.Assessment {
	v := &traffic.Assessment{Traffic: &v1alpha1.TrafficStatus{SuspectedKeys: suspected}}
	for kind, reason := range map[string]string{
		v1alpha1.ConditionDelivering: traffic.ReasonEventsTaken, v1alpha1.ConditionInboxHealthy: traffic.ReasonEventsStored,
		v1alpha1.ConditionReceiving: traffic.ReasonCallsReceived, v1alpha1.ConditionSignatureVerified: traffic.ReasonVerified,
	} {
		meta.SetStatusCondition(&v.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: "well"})
	}
	for _, c := range but {
		meta.SetStatusCondition(&v.Conditions, c)
	}
	return v
}

func fails(kind, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: "words"}
}

// TestTrafficAndReady: two kinds of traffic make a resource fail, and no other one.
func TestTrafficAndReady(t *testing.T) {
	const inbox, signature = v1alpha1.ConditionInboxHealthy, v1alpha1.ConditionSignatureVerified
	for name, c := range map[string]struct {
		verdict *traffic.Assessment
		later   time.Duration
		want    string
	}{
		"well":                      {traffics(nil), 0, "True Ready"},
		"full for a moment":         {traffics(nil, fails(inbox, traffic.ReasonFull)), time.Minute, "True Ready"},
		"full for 2 minutes":        {traffics(nil, fails(inbox, traffic.ReasonFull)), 2 * time.Minute, "False InboxFull"},
		"failing for 2 minutes":     {traffics(nil, fails(inbox, traffic.ReasonFailing)), 2 * time.Minute, "False InboxFailing"},
		"a wrong secret, suspected": {traffics(nil, fails(signature, traffic.ReasonWrongSecretSuspected)), time.Hour, "True Ready"},
		"a wrong secret, for long": {
			traffics([]string{"k"}, fails(signature, traffic.ReasonWrongSecretSuspected)), 0, "False WrongSecretSuspected",
		},
		"not enforced":      {traffics(nil, fails(signature, traffic.ReasonNotEnforced)), 0, "True Ready"},
		"a sink that fails": {traffics(nil, fails(v1alpha1.ConditionDelivering, traffic.ReasonSinkFailing)), time.Hour, "True Ready"},
		"no call":           {traffics(nil, fails(v1alpha1.ConditionReceiving, traffic.ReasonNoCallYet)), time.Hour, "True Ready"},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(t, func(o *status.Observation) { o.Traffic, o.Now = c.verdict, time.Now() })
			o.Connector.Status = status.Compute(o)
			o.Traffic, o.Now = nil, o.Now.Add(c.later+time.Second) // nothing new
			got := status.Compute(o)
			ready := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionReady)
			if is := string(ready.Status) + " " + ready.Reason; is != c.want {
				t.Errorf("Ready is %s: %s, want %s", is, ready.Message, c.want)
			}
			if stalled := meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionStalled); stalled != (ready.Status != metav1.ConditionTrue) {
				t.Errorf("Stalled is %v", stalled)
			}
			if diff := cmp.Diff(c.verdict.Traffic, got.Traffic); diff != "" {
				t.Errorf("what is remembered (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnreadKeepsReady: what cannot be read any more does not become well.
func TestUnreadKeepsReady(t *testing.T) {
	for name, v := range map[string]*traffic.Assessment{
		"InboxFull":            traffics(nil, fails(v1alpha1.ConditionInboxHealthy, traffic.ReasonFull)),
		"WrongSecretSuspected": traffics([]string{"k"}, fails(v1alpha1.ConditionSignatureVerified, traffic.ReasonWrongSecretSuspected)),
	} {
		o := observed(t, func(o *status.Observation) { o.Traffic, o.Now = v, time.Now() })
		o.Connector.Status = status.Compute(o)
		o.Traffic, o.Now = nil, o.Now.Add(time.Hour)
		o.Connector.Status = status.Compute(o)
		unread := *v
		unread.Conditions = nil
		for _, kind := range traffic.Types {
			unread.Conditions = append(unread.Conditions,
				metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: traffic.ReasonNotRead, Message: "m"})
		}
		o.Traffic = &unread
		if got := meta.FindStatusCondition(status.Compute(o).Conditions, v1alpha1.ConditionReady); got.Reason != name {
			t.Errorf("%s: Ready is %s %s", name, got.Status, got.Reason)
		}
	}
}

// TestInboxPatience is when to look again.
func TestInboxPatience(t *testing.T) {
	o := observed(t, func(o *status.Observation) {
		o.Traffic = traffics(nil, fails(v1alpha1.ConditionInboxHealthy, traffic.ReasonFull))
	})
	s := status.Compute(o)
	began := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionInboxHealthy).LastTransitionTime.Time
	for after, want := range map[time.Duration]time.Duration{
		-24 * time.Hour: 2 * time.Minute, 0: 2 * time.Minute, 90 * time.Second: 30 * time.Second, time.Hour: 0,
	} {
		if got := status.InboxPatience(s, began.Add(after)); got != want {
			t.Errorf("after %s: in %s, want %s", after, got, want)
		}
	}
	if got := status.InboxPatience(status.Compute(observed(t)), began); got != 0 {
		t.Errorf("without a verdict: in %s", got)
	}
}

// TestMissingSinkCredential: the operator knows of it without a report, and a report says nothing against it.
func TestMissingSinkCredential(t *testing.T) {
	lacks := func(o *status.Observation) {
		o.Findings = []credentials.Finding{
			{Reason: credentials.ReasonSecretNotFound, Message: "Secret \"bot\" does not exist", Sink: true, Blocking: true},
		}
		o.Traffic = traffics(nil)
	}
	o := observed(t, lacks)
	o.Connector.Status = status.Compute(o)
	if got := meta.FindStatusCondition(o.Connector.Status.Conditions,
		v1alpha1.ConditionDelivering); got.Reason != traffic.ReasonCredentialMissing {
		t.Errorf("Delivering says %s", got.Reason)
	}
	o.Findings, o.Traffic = nil, nil
	if got := meta.FindStatusCondition(status.Compute(o).Conditions, v1alpha1.ConditionDelivering); got != nil {
		t.Errorf("the credential is there, and Delivering says %s", got.Reason)
	}
}

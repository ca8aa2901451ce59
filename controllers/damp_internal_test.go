package controllers

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// exposedAs is a status that says this of the exposure of the second version.
func exposedAs(is metav1.ConditionStatus, message string) (s v1alpha1.ChannelConnectorStatus) {
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionExposed, Status: is, Reason: "Reason", Message: message, ObservedGeneration: 2,
	})
	return s
}

// registeredAs is that status of a resource whose webhook is registered, or not, for a reason.
func registeredAs(s v1alpha1.ChannelConnectorStatus, reason, fingerprint string) v1alpha1.ChannelConnectorStatus {
	is := metav1.Condition{Type: v1alpha1.ConditionWebhookRegistered, Status: metav1.ConditionFalse, Reason: reason, ObservedGeneration: 2}
	if reason == status.ReasonRegistered {
		is.Status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&s.Conditions, is)
	s.RegisteredWebhook = fingerprint
	return s
}

// TestExposedIsDamped: controllers that overwrite each other's part of a route's status ten times a second change the
// connector's twice in 30 s. In between it says the worse; it says what is so once they are at peace.
func TestExposedIsDamped(t *testing.T) {
	const ever = 10 * time.Minute
	for name, said := range map[string][2]v1alpha1.ChannelConnectorStatus{
		"one takes it, one refuses it": {exposedAs(metav1.ConditionTrue, "taken"), exposedAs(metav1.ConditionFalse, "refused")},
		"the webhook cannot be registered": {
			registeredAs(exposedAs(metav1.ConditionTrue, "taken"), status.ReasonRegistrationFailed, ""),
			registeredAs(exposedAs(metav1.ConditionFalse, "refused"), status.ReasonPending, ""),
		},
		"each waits for the other": {exposedAs(metav1.ConditionUnknown, "one"), exposedAs(metav1.ConditionUnknown, "two")},
	} {
		t.Run(name, func(t *testing.T) {
			clock := testingclock.NewFakePassiveClock(metav1.Now().Time)
			p := &pass{reconciler: &reconciler{Options: Options{Clock: clock}}, connector: &v1alpha1.ChannelConnector{}, kept: &kept{}}
			writes, well := 0, time.Duration(0)
			look := func(next v1alpha1.ChannelConnectorStatus) (again time.Duration) {
				next = *next.DeepCopy()
				again = p.damp(&next)
				if fmt.Sprint(next) != fmt.Sprint(p.connector.Status) {
					writes, p.connector.Status = writes+1, next
				}
				return again
			}
			for at := range int(ever / (100 * time.Millisecond)) {
				look(said[at%2])
				clock.SetTime(clock.Now().Add(100 * time.Millisecond))
				if p.connector.Status.Conditions[0].Status == metav1.ConditionTrue {
					well += 100 * time.Millisecond
				}
			}
			if most := 2*(exposedBurst+int(ever/exposedPause)) + 1; writes > most || well > ever/100 {
				t.Errorf("%d writes in %s, want at most %d; True for %s", writes, ever, most, well)
			}
			for i, end := range said { // what is so is said at once, or at the next look
				if again := look(end); again > 0 {
					clock.SetTime(clock.Now().Add(again))
					look(end)
				}
				if got := p.connector.Status.Conditions[0].Message; got != end.Conditions[0].Message {
					t.Errorf("end %d: says %q", i, got)
				}
			}
		})
	}
}

// TestARegistrationThatEndsIsNotKeptBack: while Exposed is, a webhook that is no longer registered is said to be so.
func TestARegistrationThatEndsIsNotKeptBack(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(metav1.Now().Time)
	p := &pass{reconciler: &reconciler{Options: Options{Clock: clock}}, connector: &v1alpha1.ChannelConnector{}, kept: &kept{}}
	p.connector.Status = registeredAs(exposedAs(metav1.ConditionUnknown, "one"), status.ReasonRegistered, "f")
	for i := range 100 {
		next := registeredAs(exposedAs(metav1.ConditionUnknown, fmt.Sprint(i)), status.ReasonRegistering, "")
		if p.damp(&next); next.RegisteredWebhook != "" || next.Conditions[1].Reason != status.ReasonRegistering {
			t.Fatalf("%d: says %+v of %q", i, next.Conditions[1], next.RegisteredWebhook)
		}
	}
}

// TestExposedIsNotKeptBack: bad news and what is said of another version are never kept back.
func TestExposedIsNotKeptBack(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(metav1.Now().Time)
	p := &pass{reconciler: &reconciler{Options: Options{Clock: clock}}, connector: &v1alpha1.ChannelConnector{}, kept: &kept{}}
	for i := range 100 {
		next := exposedAs(metav1.ConditionUnknown, fmt.Sprint(i))
		next.Conditions[0].ObservedGeneration = int64(i)
		if again := p.damp(&next); again != 0 || next.Conditions[0].Message != fmt.Sprint(i) {
			t.Fatalf("version %d: kept for %s", i, again)
		}
		p.connector.Status = next
	}
	for i := range 100 {
		p.connector.Status = exposedAs(metav1.ConditionTrue, "well")
		next := exposedAs(metav1.ConditionFalse, fmt.Sprint(i))
		if again := p.damp(&next); again != 0 || next.Conditions[0].Message != fmt.Sprint(i) {
			t.Fatalf("bad news %d: kept for %s", i, again)
		}
	}
	var none v1alpha1.ChannelConnectorStatus
	if again := p.damp(&none); again != 0 || len(none.Conditions) > 0 {
		t.Errorf("without an exposure: %v for %s", none.Conditions, again)
	}
}

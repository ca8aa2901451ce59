package status_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

// outage is when the workload of these tests went down, long after its roll-out.
var outage = start.Add(24 * time.Hour)

const (
	inTime      = 4*time.Minute + 59*time.Second
	tooLong     = 5 * time.Minute
	unavailable = "Unavailable: The pod did not become available in time: see its events and logs"
)

// downFor is a Deployment that was rolled out, and whose pod has been down for a while.
func downFor(since time.Duration, changes ...func(*corev1.Pod)) func(*status.Observation) {
	return func(o *status.Observation) {
		down(changes...)(o)
		o.Deployment.Spec.ProgressDeadlineSeconds = new(int32(300))
		o.Deployment.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(outage)},
		}
		o.Now = outage.Add(since)
	}
}

// progressing changes what the Deployment says of its roll-out.
func progressing(is corev1.ConditionStatus, reason string) func(*status.Observation) {
	return func(o *status.Observation) {
		o.Deployment.Status.Conditions[0].Status, o.Deployment.Status.Conditions[0].Reason = is, reason
	}
}

// isDeleted is a pod whose grace period ends a while after the outage began.
func isDeleted(after time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.DeletionTimestamp, p.Spec.NodeName = new(metav1.NewTime(outage.Add(after))), "n1"
	}
}

// TestOutage has how long a workload may be down outside a roll-out.
func TestOutage(t *testing.T) {
	leaves := func(after time.Duration, changes ...func(*corev1.Pod)) func(*status.Observation) {
		return func(o *status.Observation) {
			o.Pods = []corev1.Pod{pod("old", "2", append(changes, isDeleted(after))...)}
		}
	}
	for name, c := range map[string]struct {
		change []func(*status.Observation)
		want   expected
		// again is after how long the pass looks again.
		again time.Duration
	}{
		"at once":        {[]func(*status.Observation){downFor(0)}, expected{reconciling: starting}, tooLong},
		"before the end": {[]func(*status.Observation){downFor(inTime)}, expected{reconciling: starting}, time.Second},
		"at the end":     {[]func(*status.Observation){downFor(tooLong)}, expected{stalled: unavailable}, 0},
		"without a pod": {
			[]func(*status.Observation){downFor(tooLong), func(o *status.Observation) { o.Pods = nil }}, expected{stalled: unavailable}, 0,
		},
		"and paused": {
			[]func(*status.Observation){downFor(tooLong), progressing(corev1.ConditionUnknown, "DeploymentPaused")},
			expected{stalled: unavailable}, 0,
		},
		"of another length": {
			[]func(*status.Observation){downFor(tooLong), func(o *status.Observation) {
				o.Deployment.Spec.ProgressDeadlineSeconds = new(int32(600))
			}},
			expected{reconciling: starting}, tooLong,
		},
		"in a roll-out, whose time others keep": {
			[]func(*status.Observation){downFor(tooLong), progressing(corev1.ConditionTrue, "ReplicaSetUpdated")},
			expected{reconciling: starting}, 0,
		},
		"in a roll-out whose time is over": {
			[]func(*status.Observation){downFor(inTime), progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded")},
			expected{stalled: tooLate}, time.Second,
		},
		"of an earlier generation": {
			[]func(*status.Observation){downFor(tooLong), func(o *status.Observation) { o.Deployment.Generation++ }},
			expected{reconciling: starting}, 0,
		},
		"while a pod ends as it should": {
			[]func(*status.Observation){downFor(tooLong), leaves(10 * time.Minute)}, expected{reconciling: starting}, 6 * time.Minute,
		},
		"while a pod ends, before that": {
			[]func(*status.Observation){downFor(0), leaves(30 * time.Second)}, expected{reconciling: starting}, 90 * time.Second,
		},
		"while a pod ends on a lost one": {
			[]func(*status.Observation){downFor(tooLong), leaves(10*time.Minute, unreachable)}, expected{stalled: lostAs("old")}, 6 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(t, c.change...)
			c.want.available = "False " + c.want.reconciling + c.want.stalled
			verify(t, o, c.want)
			if got := status.LookAgain(o); got != c.again {
				t.Errorf("looks again after %v, want %v", got, c.again)
			}
		})
	}
}

// TestAvailableAgain: what was said ends with the outage.
func TestAvailableAgain(t *testing.T) {
	o := observed(t, downFor(tooLong))
	o.Connector.Status = status.Compute(o)
	o = observed(t, func(well *status.Observation) { well.Connector, well.Now = o.Connector, o.Now.Add(time.Second) })
	verify(t, o, expected{})
	if again := status.LookAgain(o); again != 0 {
		t.Errorf("looks again after %v", again)
	}
}

// TestTroubleAfterwards: what keeps a pod from coming up is the same long after the roll-out, and waiting is over at
// the same time.
func TestTroubleAfterwards(t *testing.T) {
	for name, c := range trouble {
		t.Run(name, func(t *testing.T) {
			early := expected{reconciling: c.want, available: "False " + c.want}
			if c.stalled {
				early = expected{stalled: c.want, available: "False " + c.want}
			}
			verify(t, observed(t, downFor(inTime, c.pod)), early)
			text := c.want
			if text == starting {
				text = unavailable
			}
			verify(t, observed(t, downFor(tooLong, c.pod)), expected{stalled: text, available: "False " + text})
		})
	}
}

// TestRefusedAfterwards: a quota or a policy that refuses the pod's successor.
func TestRefusedAfterwards(t *testing.T) {
	refused := func(o *status.Observation) {
		o.Deployment.Status.Conditions = append(o.Deployment.Status.Conditions, appsv1.DeploymentCondition{
			Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota: pods=1",
		})
		o.Pods, o.Deployment.Status.Replicas, o.Deployment.Status.UpdatedReplicas = nil, 0, 0
	}
	const want = "PodsRefused: The cluster refuses the pod: exceeded quota: pods=1"
	verify(t, observed(t, downFor(inTime), refused), expected{reconciling: want, available: "False " + want})
	verify(t, observed(t, downFor(tooLong), refused), expected{stalled: want, available: "False " + want})
	if _, silent := status.Silent(observed(t, downFor(tooLong), refused)); silent {
		t.Error("events are asked for, although the Deployment says why")
	}
}

package status

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// newReplicaSetAvailable is the reason of Progressing from the end of a roll-out on,
// whatever becomes of the pods.
const newReplicaSetAvailable = "NewReplicaSetAvailable"

// pastDeadline reports whether the workload was given the time that its Deployment
// declares, in a roll-out or since it was available last.
func pastDeadline(o Observation) bool {
	at := deadline(o)
	return o.deadlineExceeded() || !at.IsZero() && !o.Now.Before(at)
}

// deadline is until when a workload that is down outside a roll-out may come up by
// itself. It is zero while the workload is available, and in a roll-out: of that the
// Deployment's controller keeps the time, and says DeadlineExceeded.
func deadline(o Observation) time.Time {
	down, seconds := outage(o), o.Deployment.Spec.ProgressDeadlineSeconds
	progressing := deploymentCondition(o, appsv1.DeploymentProgressing)
	rolling := progressing != nil && progressing.Status == corev1.ConditionTrue && progressing.Reason != newReplicaSetAvailable
	if down.IsZero() || seconds == nil || rolling {
		return time.Time{}
	}
	at := down.Add(time.Duration(*seconds) * time.Second)
	for i := range o.Pods { // one that ends as it should is waited for
		if p := &o.Pods[i]; leaving(p) && !unreachable(p) && overdue(p).After(at) {
			at = overdue(p)
		}
	}
	return at
}

// outage is since when the workload is down; zero while it is available, and where its
// controller has yet to say.
func outage(o Observation) time.Time {
	available := deploymentCondition(o, appsv1.DeploymentAvailable)
	if available == nil || available.Status == corev1.ConditionTrue {
		return time.Time{}
	}
	return available.LastTransitionTime.Time
}

// LookAgain is after how long the status may be another one without an event; 0 when
// it stays.
func LookAgain(o Observation) time.Duration {
	if o.Deployment == nil || outage(o).IsZero() {
		return 0
	}
	moments := []time.Time{deadline(o)}
	for i := range o.Pods {
		if p := &o.Pods[i]; leaving(p) {
			moments = append(moments, overdue(p))
		}
	}
	var next time.Duration
	for _, at := range moments {
		if after := at.Sub(o.Now); after > 0 && (next == 0 || after < next) {
			next = after
		}
	}
	return next
}

package status

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// newReplicaSetAvailable is the reason of Progressing after the end of a roll-out, even if its pods fail later.
const newReplicaSetAvailable = "NewReplicaSetAvailable"

// pastDeadline reports whether the workload is down for longer than its Deployment allows: in a roll-out, or since it
// was available last.
func pastDeadline(o Observation) bool {
	at := deadline(o)
	return o.deadlineExceeded() || !at.IsZero() && !o.Now.Before(at)
}

// deadline is until when a workload that is down may come up by itself. It is zero while the workload is available, and
// in a roll-out, whose time the Deployment's controller keeps: see DeadlineExceeded.
func deadline(o Observation) time.Time {
	down, seconds := outage(o), o.Deployment.Spec.ProgressDeadlineSeconds
	progressing := o.condition(appsv1.DeploymentProgressing)
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

// outage is since when the workload is down; zero while it is available, or if its controller has not said so yet.
func outage(o Observation) time.Time {
	available := o.condition(appsv1.DeploymentAvailable)
	if available == nil || available.Status == corev1.ConditionTrue {
		return time.Time{}
	}
	return available.LastTransitionTime.Time
}

// LookAgain is after how long the status may change without an event; 0 if it does not.
func LookAgain(o Observation) time.Duration {
	if o.Deployment == nil || outage(o).IsZero() {
		return 0
	}
	next := Soonest(deadline(o).Sub(o.Now))
	for i := range o.Pods {
		if p := &o.Pods[i]; leaving(p) {
			next = Soonest(next, overdue(p).Sub(o.Now))
		}
	}
	return next
}

// Soonest is the first of several times to look again; 0, which is never, when there is none.
func Soonest(all ...time.Duration) (next time.Duration) {
	for _, after := range all {
		if after > 0 && (next == 0 || after < next) {
			next = after
		}
	}
	return next
}

package controllers

import (
	"context"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

const (
	// maxWarnings bounds the events that are read at a time. A pod has a few, since repeated ones
	// are counted in one.
	maxWarnings = 100
	// hearAgain is after how long events are read again. They are not watched, and a pod that
	// waits for its volumes does not change if the reason does.
	hearAgain = 5 * time.Minute
)

// hearWarnings reads the events of a workload that is past its deadline and says nothing else:
// those of a pod, or those of the ReplicaSet where there is no pod. Without them the status says
// less, so that a failure is only logged.
func (p *pass) hearWarnings(ctx context.Context, d *appsv1.Deployment, pod *corev1.Pod) (warnings []status.Warning) {
	of := client.MatchingFields{"type": corev1.EventTypeWarning, "regarding.kind": "ReplicaSet", "reason": "FailedCreate"}
	if pod != nil {
		of = client.MatchingFields{"type": corev1.EventTypeWarning, "regarding.uid": string(pod.UID)}
	}
	events := &eventsv1.EventList{}
	if err := p.Live.List(ctx, events, client.InNamespace(p.key.Namespace), of, client.Limit(maxWarnings)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot read why the pod does not come up: the operator needs the right to list events of events.k8s.io")
		return nil
	}
	for i := range events.Items {
		if e := &events.Items[i]; pod != nil || ofReplicaSet(d.Name, e.Regarding.Name) {
			warnings = append(warnings, status.Warning{Reason: e.Reason, Message: e.Note, At: lastSeen(e)})
		}
	}
	return warnings
}

// ofReplicaSet reports whether a ReplicaSet is a Deployment's by its name, which is that of the
// Deployment and a hash. The operator may not read ReplicaSets.
func ofReplicaSet(deployment, name string) bool {
	hash, found := strings.CutPrefix(name, deployment+"-")
	return found && !strings.Contains(hash, "-")
}

// lastSeen is when an event happened last. Events of the older API, such as the kubelet's, have
// other fields for it.
func lastSeen(e *eventsv1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.DeprecatedLastTimestamp.IsZero():
		return e.DeprecatedLastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

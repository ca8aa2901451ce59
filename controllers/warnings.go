package controllers

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

const (
	// maxWarnings bounds the events that are read. A pod has a few, since repeated ones are counted in one.
	maxWarnings = 100
	// warningsPage is how many of them are read at a time: anybody may write events of the older API, of up to 1.5 MiB.
	warningsPage = 5
	// maxWarningsPage is how much such a page has, in bytes, if the events are what they should be. None is read after a
	// larger one.
	maxWarningsPage = 64 << 10
	// hearAgain is after how long events are read again. They are not watched, and a pod that waits for its volumes
	// does not change if the reason does.
	hearAgain = 5 * time.Minute
)

// hearWarnings reads the events of a workload that is past its deadline and says nothing else: those of a pod, or those
// of the ReplicaSet where there is no pod. Without them the status says less, so that a failure is only logged.
func (p *pass) hearWarnings(ctx context.Context, d *appsv1.Deployment, pod *corev1.Pod) (warnings []status.Warning) {
	of := client.MatchingFields{"type": corev1.EventTypeWarning, "regarding.kind": "ReplicaSet", "reason": "FailedCreate"}
	if pod != nil {
		of = client.MatchingFields{"type": corev1.EventTypeWarning, "regarding.uid": string(pod.UID)}
	}
	next := ""
	for range maxWarnings / warningsPage {
		page := &eventsv1.EventList{}
		err := p.live.List(ctx, page, client.InNamespace(p.key.Namespace), of, client.Limit(warningsPage), client.Continue(next))
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot read why the pod does not come up: the operator needs the right to list events of events.k8s.io")
			return warnings
		}
		for i := range page.Items {
			if e := &page.Items[i]; pod != nil || ofReplicaSet(d.Name, e.Regarding.Name) {
				warnings = append(warnings, status.Warning{Reason: status.Shorten(e.Reason), Message: status.Shorten(e.Note), At: lastSeen(e)})
			}
		}
		if next = page.Continue; next == "" || page.Size() > maxWarningsPage {
			break
		}
	}
	return warnings
}

// lastSeen is when an event happened last. Events of the older API, such as the kubelet's, have other fields for it.
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

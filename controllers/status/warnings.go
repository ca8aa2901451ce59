package status

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Warning is what an event says of a pod, or of the ReplicaSet that should make one.
type Warning struct {
	// Reason and Message are the event's own words.
	Reason, Message string
	// At is when it happened last.
	At time.Time
}

// repeats is the time within which a lasting problem is reported again.
const repeats = 10 * time.Minute

// Silent reports whether the workload is past its deadline, and neither its Deployment nor its pods say why: events
// may. pod is the one to ask about, nil where there is none and its ReplicaSet is.
func Silent(o Observation) (pod *corev1.Pod, silent bool) {
	d := o.Deployment
	if d == nil || wanted(d) == 0 || o.rolledOut() || !pastDeadline(o) || said(o) != nil {
		return nil, false
	}
	if pods := newest(o.Pods); len(pods) > 0 {
		pod = pods[0]
	}
	return pod, true
}

// Quote returns the warning that the status quotes: the one that tells most. While one goes on to say what was quoted
// last, the words of that stay. It is nil when there is none.
func Quote(o Observation) *Warning {
	if _, silent := Silent(o); !silent {
		return nil
	}
	warnings := telling(o)
	for _, w := range warnings {
		if o.Quoted != nil && w.Reason == o.Quoted.Reason && SameWords(w.Message, o.Quoted.Message) {
			return o.Quoted
		}
	}
	if len(warnings) == 0 {
		return nil
	}
	return &warnings[0]
}

// telling returns the warnings of this outage that are still repeated. The one that tells most is the first.
func telling(o Observation) []Warning {
	down, last := outage(o), time.Time{}
	all := slices.DeleteFunc(slices.Clone(o.Warnings), func(w Warning) bool {
		// If no node takes a pod, its conditions say so while that lasts.
		return w.At.Before(down) || w.Reason == "FailedScheduling"
	})
	for _, w := range all {
		if w.At.After(last) {
			last = w.At
		}
	}
	all = slices.DeleteFunc(all, func(w Warning) bool { return last.Sub(w.At) > repeats })
	slices.SortFunc(all, func(a, b Warning) int {
		return cmp.Or(vague(a)-vague(b), b.At.Compare(a.At), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Message, b.Message))
	})
	return all
}

// vague is 1 for a warning that only sums up others: that the time for mounts is over.
func vague(w Warning) int {
	if strings.HasPrefix(w.Message, "Unable to attach or mount volumes") {
		return 1
	}
	return 0
}

// quoted is the condition that quotes a warning; nil when there is none.
func quoted(o Observation) *condition {
	w := Quote(o)
	if w == nil {
		return nil
	}
	message := strings.TrimSpace(w.Message)
	pod, _ := Silent(o)
	switch {
	case pod == nil:
		return &condition{reason: ReasonPodsRefused, message: "The cluster refuses the pod: " + message}
	case slices.Contains([]string{"FailedMount", "FailedAttachVolume", "FailedMapVolume"}, w.Reason):
		return &condition{reason: ReasonVolumeNotMounted, message: fmt.Sprintf("Pod %q waits for its volumes: "+
			"%s: %s", pod.Name, w.Reason, message)}
	}
	return &condition{reason: unavailable(o), message: fmt.Sprintf("Pod %q did not become available in time: "+
		"%s: %s", pod.Name, w.Reason, message)}
}

// unavailable is the reason where nothing more is known.
func unavailable(o Observation) string {
	if o.deadlineExceeded() {
		return ReasonRollingOut
	}
	return ReasonUnavailable
}

// changing matches what differs if the same is said again: numbers, times, ids, and the random end of the name of a pod
// that was never made.
var changing = regexp.MustCompile(`([ =(])[0-9]\S*|[0-9a-fA-F]{8}[0-9a-fA-F-]*|-[bcdfghjklmnpqrstvwxz2456789]{5}\b`)

// SameWords reports whether two messages differ only in numbers and ids.
func SameWords(a, b string) bool { return steady(a) == steady(b) }

func steady(words string) string { return changing.ReplaceAllString(words, "$1#") }

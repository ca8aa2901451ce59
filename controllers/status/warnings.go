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

// repeats is within which time what lasts is said again.
const repeats = 10 * time.Minute

// Silent reports whether the workload is past its deadline, and neither its Deployment
// nor its pods say why: events may. pod is the one to ask about, nil where there is none
// and its ReplicaSet is.
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

// quoted words the warning that tells most; nil when there is none. While one goes on to
// say what the status says already, the status stays as it is.
func quoted(o Observation) *verdict {
	pod, silent := Silent(o)
	warnings := telling(o)
	if !silent || len(warnings) == 0 {
		return nil
	}
	for _, w := range warnings {
		v, introduction := word(o, pod, w)
		for _, c := range o.Connector.Status.Conditions {
			_, words, there := strings.Cut(c.Message, introduction)
			if there && c.ObservedGeneration == o.Connector.Generation && SameWords(introduction+words, Shorten(v.message)) {
				v.message = introduction + words
				return &v
			}
		}
	}
	v, _ := word(o, pod, warnings[0])
	return &v
}

// telling returns the warnings since the workload is down that are still repeated, the
// one that tells most first.
func telling(o Observation) []Warning {
	down, last := outage(o), time.Time{}
	all := slices.DeleteFunc(slices.Clone(o.Warnings), func(w Warning) bool {
		// Where no node takes a pod, its conditions say so for as long as it lasts.
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

// vague is 1 for what only sums up other warnings: that the time for mounts is over.
func vague(w Warning) int {
	if strings.HasPrefix(w.Message, "Unable to attach or mount volumes") {
		return 1
	}
	return 0
}

// word makes a verdict of a warning, whose message begins with the introduction.
func word(o Observation, pod *corev1.Pod, w Warning) (v verdict, introduction string) {
	switch {
	case pod == nil:
		v.reason, introduction = ReasonPodsRefused, "The cluster refuses the pod: "
	case slices.Contains([]string{"FailedMount", "FailedAttachVolume", "FailedMapVolume"}, w.Reason):
		v.reason, introduction = ReasonVolumeNotMounted, fmt.Sprintf("Pod %q waits for its volumes: %s: ", pod.Name, w.Reason)
	default:
		v.reason, introduction = unavailable(o), fmt.Sprintf("Pod %q did not become available in time: %s: ", pod.Name, w.Reason)
	}
	v.message = introduction + strings.TrimSpace(w.Message)
	return v, introduction
}

// unavailable is the reason where nothing more is known.
func unavailable(o Observation) string {
	if o.deadlineExceeded() {
		return ReasonRollingOut
	}
	return ReasonUnavailable
}

// changing is what differs when the same is said again: numbers and times, ids, and the
// random end of the name of a pod that was never made.
var changing = regexp.MustCompile(`([ =(])[0-9]\S*|[0-9a-fA-F]{8}[0-9a-fA-F-]*|-[bcdfghjklmnpqrstvwxz2456789]{5}\b`)

// SameWords reports whether two messages say the same, but for what changes each time.
func SameWords(a, b string) bool { return steady(a) == steady(b) }

func steady(words string) string { return changing.ReplaceAllString(words, "$1#") }

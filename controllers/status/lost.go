package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// patience is how long a node may take, after a pod's grace period, to free the pod's volumes and delete it.
const patience = time.Minute

// lostNode returns the first pod by name whose node is lost; nil if there is none. It judges by the pod, since the
// operator may not read nodes.
func lostNode(o Observation) *corev1.Pod {
	var found *corev1.Pod
	for i := range o.Pods {
		p := &o.Pods[i]
		lost := unreachable(p) || leaving(p) && !o.Now.Before(overdue(p))
		if lost && (found == nil || p.Name < found.Name) {
			found = p
		}
	}
	return found
}

// unreachable reports whether the control plane, not the pod's node, set the pod to not ready. A node sets its
// containers to not ready as well, or names the pod's readiness gates.
func unreachable(p *corev1.Pod) bool {
	const nodeLost, gates = "NodeLost", "ReadinessGatesNotReady"
	ready, containers := podCondition(p, corev1.PodReady), podCondition(p, corev1.ContainersReady)
	switch {
	case ended(p) || p.Spec.NodeName == "" || ready == nil:
		return false
	case ready.Status == corev1.ConditionUnknown || ready.Reason == nodeLost:
		return true
	}
	return ready.Status == corev1.ConditionFalse && ready.Reason != gates && containers != nil && containers.Status == corev1.ConditionTrue
}

func podCondition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	return first(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
}

// leaving reports whether a pod is deleted and its node has not confirmed its end.
func leaving(p *corev1.Pod) bool {
	return p.DeletionTimestamp != nil && p.Spec.NodeName != "" && !ended(p)
}

func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// overdue is when a leaving pod should be gone. Its deletion timestamp is the end of its grace period.
func overdue(p *corev1.Pod) time.Time { return p.DeletionTimestamp.Add(patience) }

// byLostNode are the reasons with which a pod may wait because another pod's node is lost.
var byLostNode = []string{ReasonUnschedulable, ReasonVolumeNotBound, ReasonVolumeNotMounted, ReasonUnavailable, ReasonRollingOut}

// nodeLost says that a lost node keeps a pod's successor from coming up, and quotes the successor's own problem; nil if
// no node is lost.
func nodeLost(o Observation, successor *condition) *condition {
	pod := lostNode(o)
	if pod == nil || successor != nil && !slices.Contains(byLostNode, successor.reason) {
		return nil
	}
	follows := slices.ContainsFunc(newest(o.Pods), func(p *corev1.Pod) bool { return !unreachable(p) })
	v := &condition{reason: ReasonNodeLost, message: fmt.Sprintf("Node %q is gone or cannot be reached, and with it "+
		"pod %q: ", pod.Spec.NodeName, pod.Name)}
	switch {
	case !o.Connector.Spec.Inbox.Keeps(v1alpha1.StorageEphemeral):
		v.message += "the inbox's volume stays attached to that node. Bring the node back; or make sure that it is off, " +
			"since two pods must never write to the volume, and taint it with node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, " +
			"which detaches the volume and deletes the pod, or delete the pod by force"
	case follows:
		return nil // it needs nothing of the lost one
	default:
		v.message += "the cluster replaces the pod after its toleration of unreachable nodes, 5 minutes by default, " +
			"and loses what its inbox holds. Bring the node back before that, or delete the pod by force to have another one now"
	}
	if follows && successor != nil {
		v.message += ". Its successor waits: " + strings.TrimSuffix(successor.message, ".")
	}
	return v
}

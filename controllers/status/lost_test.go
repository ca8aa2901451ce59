package status_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// lostAs is what is said of a pod of a Persistent inbox.
func lostAs(pod string) string {
	return `NodeLost: Node "n1" is gone or cannot be reached, and with it pod "` + pod +
		`": the inbox's volume stays attached to that node. ` +
		"Bring the node back; or make sure that it is off, since two pods must never write to the volume, and taint it with " +
		"node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, which detaches the volume and deletes the pod, or delete the pod by force"
}

const lostEphemeral = `NodeLost: Node "n1" is gone or cannot be reached, and with it pod "new": ` +
	`the cluster replaces the pod after its toleration ` +
	"of unreachable nodes, 5 minutes by default, and loses what its inbox holds. Bring the node back before that, " +
	"or delete the pod by force to have another one now"

// readiness is what is said of a pod on a node, and of its containers.
func readiness(ready, containers corev1.ConditionStatus, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.NodeName, p.Status.Phase = "n1", corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodReady, Status: ready, Reason: reason},
			{Type: corev1.ContainersReady, Status: containers},
		}
		container(p).State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
		container(p).Started = new(true)
	}
}

// unreachable is a pod as the cluster leaves it when its node no longer answers.
var unreachable = readiness(corev1.ConditionFalse, corev1.ConditionTrue, "")

// TestNodeLost has what of a pod says that its node is gone, and what does not.
func TestNodeLost(t *testing.T) {
	for name, c := range map[string]struct {
		pod  func(*corev1.Pod)
		lost bool
		// ends says that the pod is waited for, however long the outage.
		ends bool
	}{
		"marked by the cluster":           {unreachable, true, false},
		"marked by an older cluster":      {readiness(corev1.ConditionFalse, corev1.ConditionFalse, "NodeLost"), true, false},
		"unknown":                         {readiness(corev1.ConditionUnknown, corev1.ConditionTrue, ""), true, false},
		"a probe that fails":              {readiness(corev1.ConditionFalse, corev1.ConditionFalse, "ContainersNotReady"), false, false},
		"a readiness gate":                {readiness(corev1.ConditionFalse, corev1.ConditionTrue, "ReadinessGatesNotReady"), false, false},
		"ready":                           {readiness(corev1.ConditionTrue, corev1.ConditionTrue, ""), false, false},
		"said of none":                    {func(*corev1.Pod) {}, false, false},
		"said of no node":                 {func(p *corev1.Pod) { unreachable(p); p.Spec.NodeName = "" }, false, false},
		"ended":                           {func(p *corev1.Pod) { unreachable(p); p.Status.Phase = corev1.PodFailed }, false, false},
		"deleted, and its grace not over": {isDeleted(time.Minute), false, true},
		"deleted, and about to go":        {isDeleted(-59 * time.Second), false, true},
		"deleted, and there for too long": {isDeleted(-time.Minute), true, false},
		"deleted, ended, and kept by another": {
			func(p *corev1.Pod) { isDeleted(-time.Hour)(p); p.Status.Phase = corev1.PodSucceeded }, false, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			early, late := starting, expected{stalled: unavailable}
			switch {
			case c.lost:
				early, late = lostAs("new"), expected{stalled: lostAs("new")}
			case c.ends:
				late = expected{reconciling: starting}
			}
			o := observed(t, downFor(0, c.pod))
			verify(t, o, expected{reconciling: early, available: "False " + early})
			o.Deployment.Status.Conditions[1].LastTransitionTime.Time = outage.Add(-tooLong)
			late.available = "False " + late.reconciling + late.stalled
			verify(t, o, late)
		})
	}
}

// TestSuccessorOfLost: the pod that should take a lost one's place says what it waits for, and what is its own matter
// comes first.
func TestSuccessorOfLost(t *testing.T) {
	with := func(changes ...func(*corev1.Pod)) func(*status.Observation) {
		return func(o *status.Observation) {
			downFor(tooLong, changes...)(o)
			o.Pods = append(o.Pods, pod("old", "2", unreachable, isDeleted(-time.Minute)), pod("older", "1", isDeleted(3*time.Minute)))
		}
	}
	for name, c := range map[string]struct {
		change func(*status.Observation)
		want   string
	}{
		"waits": {with(), lostAs("old")},
		"finds no node": {
			with(unscheduled("Unschedulable", "0/2 nodes are available.")),
			lostAs("old") + ". Its successor waits: No node takes the pod: 0/2 nodes are available",
		},
		"has no image":    {with(waitsWith("ErrImagePull", "")), trouble["an image that is not there"].want},
		"crashes":         {with(trouble["a fourth crash"].pod), trouble["a fourth crash"].want},
		"is yet to come":  {func(o *status.Observation) { with()(o); o.Pods = o.Pods[1:] }, lostAs("old")},
		"is lost as well": {with(unreachable), lostAs("new")},
		"waits for the volume": {
			func(o *status.Observation) {
				with()(o)
				o.Warnings = []status.Warning{{"FailedAttachVolume", "Multi-Attach error.", outage}}
			},
			lostAs("old") + `. Its successor waits: Pod "new" waits for its volumes: FailedAttachVolume: Multi-Attach error`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			verify(t, observed(t, c.change), expected{stalled: c.want, available: "False " + c.want})
		})
	}
}

// TestLostEphemeral: a successor needs nothing of a lost pod without a volume.
func TestLostEphemeral(t *testing.T) {
	inMemory := func(o *status.Observation) {
		o.Connector.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{Storage: v1alpha1.StorageEphemeral}
	}
	follows := func(o *status.Observation) { o.Pods = append(o.Pods, pod("newer", "2")) }
	verify(t, observed(t, downFor(0, unreachable), inMemory), expected{reconciling: lostEphemeral, available: "False " + lostEphemeral})
	verify(t, observed(t, downFor(0, unreachable), inMemory, follows), expected{reconciling: starting, available: "False " + starting})
	verify(t, observed(t, downFor(tooLong, unreachable), inMemory, follows), expected{stalled: unavailable, available: "False " + unavailable})
}

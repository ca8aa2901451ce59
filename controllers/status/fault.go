package status

import (
	"cmp"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// Fault says what keeps an upgraded workload from coming up.
type Fault int

const (
	// FaultNone is that of a workload that is up, or may still come up.
	FaultNone Fault = iota
	// FaultOwn lies with the resource or its namespace: a quota, a node, a volume, a missing Secret, a container that
	// somebody added, a limit of memory that the resource declares.
	FaultOwn
	// FaultImage is that the image cannot be pulled. If another connector runs it, a pull secret or a node is at fault.
	FaultImage
	// FaultVersion may lie with the version of the operator.
	FaultVersion
)

// ownReasons are the reasons of WorkloadAvailable that no version of the operator causes.
var ownReasons = []string{ReasonUnschedulable, ReasonVolumeNotBound, ReasonVolumeNotMounted, ReasonNodeLost}

// The words of Kubernetes where a namespace's own limits or missing objects keep a pod or its container from being made.
// What a policy refuses may be a new field of the pod template.
var (
	ownRefusal = regexp.MustCompile(`(exceeded|failed|unknown for) quota|m(ax|in)imum \S+ usage per|max limit to request ratio per|` +
		`looking up service account|serviceaccount .* not found|no PriorityClass with name`)
	ownContainer = regexp.MustCompile(`(?i)(secret|configmap) ".*" not found|couldn't find key`)
)

// UpgradeFault returns what keeps a workload from coming up with a new pod template.
func UpgradeFault(o Observation) Fault {
	if !WorkloadStalled(o) {
		return FaultNone
	}
	switch v := notYet(o, condition{}); {
	case slices.Contains(ownReasons, v.reason), ownPod(o),
		v.reason == ReasonPodsRefused && ownRefusal.MatchString(v.message),
		v.reason == ReasonContainerNotCreated && ownContainer.MatchString(v.message):
		return FaultOwn
	case v.reason == ReasonImagePullFailed:
		return FaultImage
	}
	return FaultVersion
}

// ownPod reports whether something else than the connector keeps the newest pod from being available, or the declared
// limit of its memory does. The operator's pods have no init containers, and no other container.
func ownPod(o Observation) bool {
	pods := newest(o.Pods)
	if len(pods) == 0 || o.Deployment.Status.UpdatedReplicas == 0 { // or those pods are of the template before
		return false
	}
	initialized := podCondition(pods[0], corev1.PodInitialized)
	if initialized != nil && initialized.Status == corev1.ConditionFalse {
		return true
	}
	c := connectorStatus(pods[0])
	return c != nil && (c.Ready || outOfMemory(c) && limitsMemory(o.Connector))
}

func outOfMemory(c *corev1.ContainerStatus) bool {
	ended := cmp.Or(c.State.Terminated, c.LastTerminationState.Terminated)
	return ended != nil && ended.Reason == reasonOutOfMemory
}

func limitsMemory(c *v1alpha1.ChannelConnector) bool {
	_, limited := ptr.Deref(c.Spec.Workload.Resources, v1alpha1.Resources{}).Limits[corev1.ResourceMemory]
	return limited
}

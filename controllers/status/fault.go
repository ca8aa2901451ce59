package status

import (
	"regexp"
	"slices"
)

// Fault says what keeps an upgraded workload from coming up.
type Fault int

const (
	// FaultNone is that of a workload that is up, or may still come up.
	FaultNone Fault = iota
	// FaultOwn lies with the resource or its namespace: a quota, a node, a volume, a missing Secret.
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
	case slices.Contains(ownReasons, v.reason),
		v.reason == ReasonPodsRefused && ownRefusal.MatchString(v.message),
		v.reason == ReasonContainerNotCreated && ownContainer.MatchString(v.message):
		return FaultOwn
	case v.reason == ReasonImagePullFailed:
		return FaultImage
	}
	return FaultVersion
}

package status

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// Growth is how an inbox comes to its declared size.
type Growth struct {
	// Claim is that of a Persistent inbox; nil for an Ephemeral one.
	Claim *corev1.PersistentVolumeClaim
	// Size is the inbox's until then.
	Size resource.Quantity
	// Refused are the API server's words if it refuses a larger claim; empty if it does not.
	Refused string
}

// growing says what an inbox that is smaller than declared waits for, and who has to do it; nil for any other.
func growing(o Observation) *condition {
	g := o.Growth
	if g == nil {
		return nil
	}
	reason, waits := g.waits(children.VolumeSize(o.Connector))
	declared := o.Connector.Spec.Inbox.Store().Size
	return onlyWhen(true, reason, fmt.Sprintf("The inbox has %s of the declared %s until its volume is larger: %s",
		g.Size.String(), declared.String(), waits))
}

// waits returns the reason, and what is to come or to do. wanted is the size of the volume.
func (g *Growth) waits(wanted string) (reason, waits string) {
	if g.Claim == nil {
		return ReasonRollingOut, "the pods of before are still there, each with a volume of the size that it began with"
	}
	capacity := children.ClaimedVolume(g.Claim)
	claim := fmt.Sprintf("PersistentVolumeClaim %q", g.Claim.Name)
	failed, resizing := g.failure(), g.says(corev1.PersistentVolumeClaimResizing)
	fileSystem := g.says(corev1.PersistentVolumeClaimFileSystemResizePending)
	switch {
	case g.Refused != "":
		return ReasonResizeRefused, fmt.Sprintf("the API server refuses %s for %s: %s. Allow it, or create another "+
			"ChannelConnector of that size; it is tried again, every 10 minutes in the end", wanted, claim, traffic.Cut(g.Refused, maxWords))
	case g.Claim.Status.Phase != corev1.ClaimBound:
		return ReasonVolumeNotBound, fmt.Sprintf("%s requests %s and is not bound; once it is, %s are asked for",
			claim, capacity.String(), wanted)
	case failed != "":
		return ReasonResizeFailed, fmt.Sprintf("%s cannot grow to %s: %s. The storage driver tries again; mend the cause",
			claim, wanted, failed)
	case fileSystem != nil:
		return ReasonFileSystemPending, fmt.Sprintf("the volume of %s has grown, its file system has not yet%s. It does so while a pod runs, "+
			"or, if the storage driver cannot do that, when the pod starts again: then delete the pod", claim, quoteOf(fileSystem))
	case resizing != nil:
		return ReasonVolumeResizing, fmt.Sprintf("the storage driver enlarges %s to %s%s", claim, wanted, quoteOf(resizing))
	}
	return ReasonVolumeTooSmall, fmt.Sprintf("%s has %s where %s are needed, and the storage driver has not said that it "+
		"enlarges it; kubectl describe shows its events", claim, capacity.String(), wanted)
}

// maxWords bounds a quotation, in bytes, so that the advice behind it is not cut off.
const maxWords = 500

// says returns a condition of the claim that is True; nil if there is none.
func (g *Growth) says(kind corev1.PersistentVolumeClaimConditionType) *corev1.PersistentVolumeClaimCondition {
	i := slices.IndexFunc(g.Claim.Status.Conditions, func(c corev1.PersistentVolumeClaimCondition) bool {
		return c.Type == kind && c.Status == corev1.ConditionTrue
	})
	if i < 0 {
		return nil
	}
	return &g.Claim.Status.Conditions[i]
}

// failure is why the volume could not be enlarged, in the words of the driver; empty if that did not fail.
func (g *Growth) failure() string {
	for _, kind := range []corev1.PersistentVolumeClaimConditionType{
		corev1.PersistentVolumeClaimControllerResizeError, corev1.PersistentVolumeClaimNodeResizeError,
	} {
		if c := g.says(kind); c != nil {
			return string(kind) + quoteOf(c)
		}
	}
	switch is := g.Claim.Status.AllocatedResourceStatuses[corev1.ResourceStorage]; is {
	case corev1.PersistentVolumeClaimControllerResizeInfeasible, corev1.PersistentVolumeClaimNodeResizeInfeasible:
		return string(is)
	default:
		return ""
	}
}

// quoteOf continues a sentence with what a condition says.
func quoteOf(c *corev1.PersistentVolumeClaimCondition) string {
	if words := strings.TrimSpace(c.Message); words != "" {
		return ": " + traffic.Cut(words, maxWords)
	}
	return ""
}

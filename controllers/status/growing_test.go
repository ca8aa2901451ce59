package status_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// claimed is a bound claim of 1Gi with a status.
func claimed(change func(*corev1.PersistentVolumeClaimStatus)) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "shop-connector"}}
	claim.Status.Phase = corev1.ClaimBound
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	change(&claim.Status)
	return claim
}

// says gives a claim a condition.
func says(
	kind corev1.PersistentVolumeClaimConditionType, is corev1.ConditionStatus, message string,
) func(*corev1.PersistentVolumeClaimStatus) {
	return func(s *corev1.PersistentVolumeClaimStatus) {
		s.Conditions = append(s.Conditions, corev1.PersistentVolumeClaimCondition{Type: kind, Status: is, Message: message})
	}
}

// TestGrowing: the condition quotes who stands in the way, and says what to do. The connector stays Ready.
func TestGrowing(t *testing.T) {
	const begins = "The inbox has 512Mi of the declared 1Gi until its volume is larger: "
	nothing := func(*corev1.PersistentVolumeClaimStatus) {}
	infeasible := func(s *corev1.PersistentVolumeClaimStatus) {
		s.AllocatedResourceStatuses = map[corev1.ResourceName]corev1.ClaimResourceStatus{
			corev1.ResourceStorage: corev1.PersistentVolumeClaimNodeResizeInfeasible,
		}
	}
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		growth status.Growth
		want   []string
	}{
		"refused": {
			status.Growth{Claim: claimed(nothing), Refused: "no, " + long},
			[]string{"ResizeRefused", "refuses 1792Mi", "no, x", "Allow it"},
		},
		"nothing said": {
			status.Growth{Claim: claimed(nothing)},
			[]string{"VolumeTooSmall", "has 1Gi where 1792Mi are needed"},
		},
		"said, and over": {
			status.Growth{Claim: claimed(says("Resizing", "False", "old"))},
			[]string{"VolumeTooSmall"},
		},
		"not bound": {
			status.Growth{Claim: claimed(func(s *corev1.PersistentVolumeClaimStatus) { s.Phase = "Pending" })},
			[]string{"VolumeNotBound"},
		},
		"resizing": {
			status.Growth{Claim: claimed(says("Resizing", "True", ""))},
			[]string{"VolumeResizing", `enlarges PersistentVolumeClaim "shop-connector" to 1792Mi`},
		},
		"the file system": {
			status.Growth{Claim: claimed(says("FileSystemResizePending", "True", "start a pod"))},
			[]string{"FileSystemResizePending", "start a pod", "delete the pod"},
		},
		"the driver fails": {
			status.Growth{Claim: claimed(says("ControllerResizeError", "True", long))},
			[]string{"ResizeFailed", "ControllerResizeError: x", "mend the cause"},
		},
		"the node fails": {
			status.Growth{Claim: claimed(says("NodeResizeError", "True", "busy"))},
			[]string{"ResizeFailed", "NodeResizeError: busy"},
		},
		"the driver refuses": {
			status.Growth{Claim: claimed(infeasible)},
			[]string{"ResizeFailed", "NodeResizeInfeasible"},
		},
		"Ephemeral": {
			status.Growth{},
			[]string{"RollingOut", "the pods of before"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.growth.Size = resource.MustParse("512Mi")
			o := observed(t, func(o *status.Observation) { o.Growth = &c.growth })
			got := conditions(status.Compute(o))[v1alpha1.ConditionInboxGrowing]
			for _, want := range append(c.want, begins) {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
			verify(t, o, expected{growing: got})
		})
	}
}

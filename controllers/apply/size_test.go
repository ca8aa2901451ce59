package apply

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestSize: what an object takes is counted in memory, whatever it points to.
func TestSize(t *testing.T) {
	const kib = 1 << 10
	text := string(make([]byte, kib))
	raw := []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(text)}}
	empty := Size(&corev1.Pod{})
	for name, c := range map[string]struct {
		pod  corev1.Pod
		want int
	}{
		"a text":     {corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: text}}, kib},
		"bytes":      {corev1.Pod{ObjectMeta: metav1.ObjectMeta{ManagedFields: raw}}, kib},
		"a map":      {corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{text: text}}}, 2 * kib},
		"an entry":   {corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Command: []string{text}}}}}, kib},
		"structures": {corev1.Pod{Spec: corev1.PodSpec{Tolerations: make([]corev1.Toleration, 100)}}, 7200},
		"room":       {corev1.Pod{Spec: corev1.PodSpec{Tolerations: make([]corev1.Toleration, 0, 100)}}, 7200},
		"a pointer":  {corev1.Pod{Spec: corev1.PodSpec{Affinity: &corev1.Affinity{PodAffinity: &corev1.PodAffinity{}}}}, 72},
		"a time":     {corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(time.Now())}}, 0},
	} {
		const around = 1000 // the structures on the way to it
		if got := Size(&c.pod) - empty; got < c.want || got > c.want+around {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}

package health_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/kit/health"
)

// TestCheck has resources that the operator has not looked at, or no longer looks at. The specs of the operator check
// those that it writes.
func TestCheck(t *testing.T) {
	made := func(change func(*v1alpha1.ChannelConnector)) *v1alpha1.ChannelConnector {
		c := &v1alpha1.ChannelConnector{}
		c.Generation, c.Status.ObservedGeneration = 2, 2
		c.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Ready", Message: "m", ObservedGeneration: 2}}
		change(c)
		return c
	}
	for name, c := range map[string]struct {
		is   *v1alpha1.ChannelConnector
		want []string
	}{
		"as the API server makes it": {is: made(func(c *v1alpha1.ChannelConnector) {
			c.Status = v1alpha1.ChannelConnectorStatus{ObservedGeneration: -1}
		})},
		"changed": {is: made(func(c *v1alpha1.ChannelConnector) { c.Generation++ })},
		"being deleted": {is: made(func(c *v1alpha1.ChannelConnector) {
			c.DeletionTimestamp = new(metav1.Now())
		})},
		"ready": {is: made(func(*v1alpha1.ChannelConnector) {})},
		"without a status": {
			is:   made(func(c *v1alpha1.ChannelConnector) { c.Status = v1alpha1.ChannelConnectorStatus{} }),
			want: []string{"Flux says Current, not InProgress"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, health.Check(c.is)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

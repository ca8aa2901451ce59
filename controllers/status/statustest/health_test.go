package statustest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// TestCheckHealth has what the operator has not looked at, or no longer looks at;
// the rest is where Check is used.
func TestCheckHealth(t *testing.T) {
	made := func(change func(*v1alpha1.ChannelConnector)) *v1alpha1.ChannelConnector {
		c := with(resolved, ready, available)
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
		"without a status": {
			is:   made(func(c *v1alpha1.ChannelConnector) { c.Status = v1alpha1.ChannelConnectorStatus{} }),
			want: []string{"Flux says Current, not InProgress"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, CheckHealth(c.is)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

package status_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// TestShorten: what others say may be long, and in any script.
func TestShorten(t *testing.T) {
	for text, want := range map[string]string{
		"short":                   "short",
		strings.Repeat("a", 1024): strings.Repeat("a", 1024),
		strings.Repeat("a", 1025): strings.Repeat("a", 1021) + "…",
		strings.Repeat("ế", 500):  strings.Repeat("ế", 340) + "…",
	} {
		got := status.Compute(observed(t, func(o *status.Observation) { o.Findings = []credentials.Finding{{Message: text}} }))
		message := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionCredentialsResolved).Message
		if message != want {
			t.Errorf("%d bytes become %q", len(text), message)
		}
	}
}

package status_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// TestManyContests: however many fields are contested, what to do is not cut off.
func TestManyContests(t *testing.T) {
	var all []apply.Contest
	for n := range 20 {
		all = append(all,
			apply.Contest{Child: `Deployment "shop-connector"`, Field: fmt.Sprintf("spec.template.spec.field%02d", n), Managers: `"theirs"`})
	}
	got := status.Compute(observed(t, contests(all...)))
	message := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionFieldContested).Message
	if !strings.Contains(message, `field03 of Deployment "shop-connector" by "theirs", and others.`) ||
		!strings.HasSuffix(message, "has a field for it") {
		t.Errorf("got %s", message)
	}
}

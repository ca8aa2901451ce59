package series_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/test/kit/series"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQuantile(t *testing.T) {
	values := series.Series{5, 1, 4, 2, 3}
	got := series.Series{values.Quantile(0), values.Median(), values.Quantile(0.99), values.Quantile(1)}
	if diff := cmp.Diff(series.Series{1, 3, 5, 5}, got); diff != "" {
		t.Errorf("quantiles (-want +got):\n%s", diff)
	}
}

package telemetry_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// exported are the series of channels, one a line.
func exported(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text, series strings.Builder
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(text.String()) {
		if line, channel := strings.CutPrefix(line, "xbot_connector_"); channel && strings.Contains(line, "{channel=") {
			series.WriteString(line)
		}
	}
	return series.String()
}

func check(t *testing.T, reg *prometheus.Registry, want string) {
	t.Helper()
	if diff := cmp.Diff(want, exported(t, reg)); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestASeriesExistsFromItsFirstUseOn(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := telemetry.New(reg)
	c := m.Use("shop")
	check(t, reg, "")
	c.Accepted.Add(2)
	c.Attempts.Inc("taken")
	c.Attempts.Inc("status")
	c.Attempts.Inc("status")
	c.UseSignatureMode("Audit")
	c.UseSignatureMode("Enforce")
	c.SetHeld(true)
	c.SetHeld(false)
	m.Use("").Refused.Inc("key")
	check(t, reg, `delivery_attempts_total{channel="shop",result="status"} 2
delivery_attempts_total{channel="shop",result="taken"} 1
delivery_held{channel="shop"} 0
webhook_accepted_total{channel="shop"} 2
webhook_refused_total{channel="",reason="key"} 1
webhook_signature_mode{channel="shop",mode="Enforce"} 1
`)
	if sum, failed, of := c.Attempts.Sum(""), c.Attempts.Sum("taken"), c.Attempts.Of("status"); sum != 3 || failed != 2 || of != 2 {
		t.Errorf("attempts: %d, failed %d, of them with a status %d", sum, failed, of)
	}
}

func TestNoSeriesOfARemovedChannelComesBack(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := telemetry.New(reg)
	gone, stays := m.Use("gone"), m.Use("stays")
	gone.Accepted.Add(1)
	m.Retain(map[string]bool{"stays": true})
	gone.Accepted.Add(1)
	gone.Attempts.Inc("taken")
	gone.SetHeld(true)
	m.Of("gone").Refused.Inc("busy")
	check(t, reg, "")
	if m.Use("stays") != stays || m.Use("gone") == gone {
		t.Error("a channel that stays must keep its counts, and one that comes back begin at 0")
	}
}

func TestCountsLoseNothing(t *testing.T) {
	var counts telemetry.Counts
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for i := range 1000 {
				counts.Inc(string(rune('a' + i%26)))
			}
		})
	}
	running.Wait()
	if n := counts.Sum(""); n != 8000 {
		t.Errorf("%d counted, want 8000", n)
	}
}

func BenchmarkCountsInc(b *testing.B) {
	var counts telemetry.Counts
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			counts.Inc("taken")
		}
	})
}

// A type that makes up its reasons costs neither memory without bound nor the metrics: Prometheus refuses a value that
// is no text.
func TestCountsOfMadeUpValuesAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := telemetry.New(reg).Use("shop")
	c.Refused.Inc("known")
	c.Refused.Inc("\xff")
	for i := range 1000 {
		c.Refused.Inc(strings.Repeat("a", i))
	}
	c.Refused.Inc("known")
	series := exported(t, reg)
	if n := strings.Count(series, "\n"); n > 100 || !strings.Contains(series, `reason="known"} 2`) || c.Refused.Sum("") != 1003 {
		t.Errorf("%d series, %d counted", n, c.Refused.Sum(""))
	}
}

// TestManyCountAValueFirst: calls that bring the same new value at once take no more than its one place.
func TestManyCountAValueFirst(t *testing.T) {
	m := telemetry.New(prometheus.NewRegistry())
	const rounds, callers, values = 50, 64, 60
	for range rounds {
		c, begin := m.Use("shop"), make(chan struct{})
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				<-begin
				for i := range values {
					c.Refused.Inc(strings.Repeat("v", i+1))
				}
			})
		}
		close(begin)
		all.Wait()
		if other := c.Refused.Of("other"); other != 0 {
			t.Fatalf("%d are counted as other", other)
		}
		m.Retain(nil)
	}
}

package connector_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
)

// exported are the connector's metrics, with their labels. Dashboards and alerts of others are built on them: a change
// here breaks those.
var exported = map[string][]string{
	"webhook_accepted_total":            {"channel"},
	"webhook_accepted_events_total":     {"event"},
	"webhook_duplicates_total":          {"channel"},
	"webhook_ignored_total":             {"channel", "reason"},
	"webhook_refused_total":             {"channel", "reason"},
	"webhook_audit_failures_total":      {"channel", "reason"},
	"webhook_odd_timestamps_total":      {"channel", "reason"},
	"webhook_signature_mode":            {"channel", "mode"},
	"webhook_accept_duration_seconds":   nil,
	"webhook_in_flight_calls":           nil,
	"webhook_buffered_bytes":            nil,
	"webhook_buffered_bytes_limit":      nil,
	"server_connections":                {"class", "listener"},
	"server_connections_limit":          {"listener"},
	"server_connections_closed_total":   {"listener", "reason"},
	"server_log_lines_total":            {"kind"},
	"inbox_sync_duration_seconds":       nil,
	"inbox_backlog_events":              {"channel"},
	"inbox_oldest_pending_age_seconds":  {"channel"},
	"inbox_dead_letters":                {"channel"},
	"inbox_size_bytes":                  nil,
	"inbox_size_limit_bytes":            nil,
	"delivery_attempts_total":           {"channel", "result"},
	"delivery_attempt_duration_seconds": nil,
	"delivery_latency_seconds":          nil,
	"delivery_dead_lettered_total":      {"channel", "reason"},
	"delivery_in_flight_attempts":       nil,
	"delivery_sink_connections":         nil,
	"delivery_sink_connections_limit":   nil,
	"config_reloads_total":              {"result"},
	"config_last_reload_successful":     nil,
	"config_info":                       {"digest"},
	"memory_limit_bytes":                nil,

	"token_keys_fetched_timestamp_seconds": {"document"},
	"token_fetches_total":                  {"document", "result"},
}

// useEverything brings every kind of series into being.
func useEverything(t *testing.T) *running {
	t.Helper()
	sink := newReceiver(t)
	s := sampledSettings(t, sink.URL)
	s.channels = append(s.channels, channelSettings{
		name: shopB, sink: sink.URL, age: "2h",
		zalo: fmt.Sprintf(`appID: %q, signature: {mode: Audit, secretKeys: [{value: %s}]}`, app, secret),
	})
	_, all := dialects(t)
	for _, d := range all {
		s.further += speaking(d, "chat/"+d.Type, sink.URL, d.Secret())
	}
	r := start(t, s.write(t))
	postSamples(t, r)
	postSamples(t, r)
	m := message{shopB, "1", "unsigned"}
	query := "?param.header.xp-api-key=" + keyOf(shopB)
	for body, want := range map[string]int{
		string(m.body()):      http.StatusOK,
		`{}`:                  http.StatusOK,
		`{"text": "Xin chào"`: http.StatusBadRequest,
		`{"app_id": "111"}`:   http.StatusForbidden,
		`{"event_name": "a\\nb{c=\"d\"}", "app_id": "` + app + `", "timestamp": "1"}`: http.StatusOK,
		strings.Repeat(" ", 1<<20+1): http.StatusRequestEntityTooLarge,
	} {
		if status, _, err := r.postRaw([]byte(body), "", query); err != nil || status != want {
			t.Errorf("%.40s: %d, %v, want %d", body, status, err, want)
		}
	}
	resp, err := r.client.Get("http://" + r.address.Webhook + "/" + strings.Repeat("a", 9<<10))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if status, _, err := r.postRaw(m.body(), "", "?param.header.xp-api-key="+keyOf(shopA)[:16]); err != nil ||
		status != http.StatusUnauthorized {
		t.Errorf("half a key: %d, %v", status, err)
	}
	odd := []byte(`{"app_id":"` + app + `","timestamp":"178286350730"}`)
	if status, _, err := r.postRaw(odd, zalo.Sign(app, odd, "178286350730", secret), query); err != nil || status != http.StatusOK {
		t.Errorf("a timestamp of 12 digits: %d, %v", status, err)
	}
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	sink.answers(status(http.StatusUnprocessableEntity))
	r.call(message{shopA, "1", "dead"})
	r.awaits(`inbox_dead_letters{channel="chat/a"}`, 1)
	r.awaits(`delivery_dead_lettered_total{channel="chat/a",reason="refused"}`, 1) // counted after the commit
	r.awaitReload("refused", func() { put(t, s.path(), "kind: 7") })
	s.channels[0].delivery = "concurrency: 2"
	r.awaitReload("applied", func() { s.write(t) })
	return r
}

func TestMetricsAreWhatIsPromisedAndNoMore(t *testing.T) {
	t.Parallel()
	text := useEverything(t).scrape()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, family := range families {
		name, ours := strings.CutPrefix(name, "xbot_connector_")
		if !ours {
			continue // of the Go runtime, the process and the exporter itself
		}
		labels, known := exported[name]
		if !known {
			t.Errorf("%s is exported and not listed here", name)
		}
		for _, series := range family.GetMetric() {
			if got := labelNames(series); !slices.Equal(got, labels) {
				t.Errorf("%s has the labels %v, want %v", name, got, labels)
			}
		}
	}
	for name, labels := range exported {
		family := families["xbot_connector_"+name]
		if family == nil {
			t.Errorf("%s is not exported after use", name)
			continue
		}
		channel := slices.Contains(labels, "channel")
		if channel && slices.Contains(labels, "event") {
			t.Errorf("%s multiplies channels by events", name)
		}
		if channel && family.GetType() == dto.MetricType_HISTOGRAM {
			t.Errorf("%s multiplies channels by buckets", name)
		}
	}
}

func labelNames(series *dto.Metric) (names []string) {
	for _, label := range series.GetLabel() {
		names = append(names, label.GetName())
	}
	slices.Sort(names)
	return names
}

// TestMetricsAreDocumented holds docs/metrics.md to the metrics and to the reasons of refusal in the source, and its
// alerts to metrics that exist.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	doc := readText(t, "../docs/metrics.md")
	for name, labels := range exported {
		row := fmt.Sprintf("\n| `%s` | ", name)
		if labels != nil {
			row += "`" + strings.Join(labels, "`, `") + "`"
		}
		if !strings.Contains(doc, row) {
			t.Errorf("no row %q", row)
		}
	}
	reasons := regexp.MustCompile(`(?:[Rr]eason\w* = |newUnavailable\(|newReply\(|&reply\{)"(\w+)"`).FindAllStringSubmatch(
		readText(t, "channel/channel.go")+readText(t, "webhook/answer.go")+readText(t, "telemetry/channel.go"), -1)
	if len(reasons) < 13 {
		t.Errorf("%d reasons of refusal found in the source", len(reasons))
	}
	_, listed, _ := strings.Cut(doc, "Reasons of `webhook_refused_total`:")
	listed, alerts, _ := strings.Cut(listed, "\n\n")
	for _, reason := range reasons {
		if !strings.Contains(listed, "`"+reason[1]+"`") {
			t.Errorf("the reason %s is not listed", reason[1])
		}
	}
	for alert := range strings.Lines(alerts) {
		expression, ok := strings.CutPrefix(alert, "| `")
		if !ok {
			continue
		}
		expression, _, _ = strings.Cut(expression, "` | ")
		used := regexp.MustCompile(`xbot_connector_(\w+)`).FindAllStringSubmatch(expression, -1)
		if len(used) == 0 {
			t.Errorf("no metric in the alert %s", expression)
		}
		for _, metric := range used {
			if _, known := exported[strings.TrimSuffix(metric[1], "_bucket")]; !known {
				t.Errorf("%s is no metric", metric[0])
			}
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestMetricsPassPromtool runs what "promtool check metrics" runs.
func TestMetricsPassPromtool(t *testing.T) {
	t.Parallel()
	problems, err := promlint.New(strings.NewReader(useEverything(t).scrape())).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

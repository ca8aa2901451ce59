package connector_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestXBotsExampleArrivesByteForByte(t *testing.T) {
	t.Parallel()
	example := readSample(t, "xbot_example.json")
	sink := newReceiver(t)
	// Nobody outside xBot can sign the published example, hence Audit.
	r := start(t, newSettings(t, channelSettings{
		name: shopA, sink: sink.URL + "/events?bot=1",
		zalo: fmt.Sprintf(`appID: "2553928453557884079", signature: {mode: Audit, secretKeys: [{value: %s}]}`, secret),
		http: "headers: [{name: Authorization, value: Bearer hidden-token}]",
	}).write(t))

	for _, query := range []string{"", "?param.header.xp-api-key=" + keyOf(shopB)} {
		if status, _, err := r.postRaw(example, "", query); err != nil || status != http.StatusUnauthorized {
			t.Errorf("without the key: %d, %v", status, err)
		}
	}
	if status, _, err := r.postRaw(example, "", "?param.header.xp-api-key="+keyOf(shopA)); err != nil || status != http.StatusOK {
		t.Fatalf("%d, %v", status, err)
	}
	sink.awaits(t, 1)
	got := sink.takenSoFar()[0]
	if !bytes.Equal(got.body, example) || len(got.body) != 269 {
		t.Errorf("the sink received %d bytes:\n%s", len(got.body), got.body)
	}
	for _, varying := range []string{"Accept-Encoding", "User-Agent"} {
		got.header.Del(varying)
	}
	want := http.Header{
		"Authorization":   {"Bearer hidden-token"},
		"Ce-Channel":      {shopA},
		"Ce-Id":           {"ed2d14dd3595d77d0a2e339fc81497aa4ce239546f6992ebc82634d516c08a3f"},
		"Ce-Partitionkey": {"oa/3662729599332560487/user/6142494823xxxxxxxx"},
		"Ce-Source":       {"/zalo/2553928453557884079/3662729599332560487"},
		"Ce-Specversion":  {"1.0"},
		"Ce-Subject":      {"6142494823xxxxxxxx"},
		"Ce-Time":         {"2023-11-03T09:31:21.354Z"},
		"Ce-Type":         {"vn.zalo.oa.user_send_text"},
		"Content-Length":  {"269"},
		"Content-Type":    {"application/json"},
	}
	if diff := cmp.Diff(want, got.header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	r.counts(`webhook_accepted_total{channel="chat/a"}`, 1)
	r.counts(`webhook_audit_failures_total{channel="chat/a",reason="signature_missing"}`, 1)
	r.counts(`webhook_refused_total{channel="",reason="key"}`, 2)
}

// call is a sample with its signature.
type sampledCall struct {
	File   string
	Header string
}

// attributes are what is expected of a sample at the sink.
type attributes struct{ ID, Source, Type, Subject, Conversation, Time string }

// sampledSettings take the samples' accounts and leave out what a bot need not see.
func sampledSettings(t testing.TB, sink string) *settings {
	return newSettings(t, channelSettings{
		name: shopA, sink: sink,
		zalo: fmt.Sprintf(`appID: %q, signature: {secretKeys: [{value: %s}]}, officialAccounts: [{id: %q}, {id: "4547476331570598169"}]`,
			app, secret, oa),
		events: `exclude: ["oa_send_*", user_seen_message, user_received_message]`,
	})
}

// postSamples posts every signed sample and returns those that the sink of sampledSettings is to receive, in order.
func postSamples(t testing.TB, r *running) (deliver []sampledCall, excluded int) {
	t.Helper()
	vectors := readJSON[struct{ Vectors []sampledCall }](t, "vectors.json").Vectors
	if len(vectors) < 30 {
		t.Fatalf("%d samples", len(vectors))
	}
	for _, v := range vectors {
		body := readSample(t, v.File)
		if status, _, err := r.postRaw(body, "", "?param.header.xp-api-key="+keyOf(shopA)); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s unsigned: %d, %v", v.File, status, err)
		}
		if status, _, err := r.postRaw(body, v.Header, "?param.header.xp-api-key="+keyOf(shopA)); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d, %v", v.File, status, err)
		}
		switch {
		case strings.HasPrefix(v.File, "console_test"):
		case strings.HasPrefix(v.File, "oa_send_"), strings.HasPrefix(v.File, "user_seen_message"),
			strings.HasPrefix(v.File, "user_received_message"):
			excluded++
		default:
			deliver = append(deliver, v)
		}
	}
	return deliver, excluded
}

func TestEverySampleGoesInAndComesOut(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	r := start(t, sampledSettings(t, sink.URL).write(t))
	deliver, excluded := postSamples(t, r)
	sink.awaits(t, len(deliver))

	golden := readJSON[map[string]attributes](t, "golden.json")
	bodies, wanted := map[string]attempt{}, map[string]attributes{}
	got := map[string]attributes{}
	for _, a := range sink.takenSoFar() {
		h := a.header.Get
		got[h("Ce-Id")] = attributes{h("Ce-Id"), h("Ce-Source"), h("Ce-Type"), h("Ce-Subject"), h("Ce-Partitionkey"), h("Ce-Time")}
		bodies[h("Ce-Id")] = a
	}
	for _, v := range deliver {
		want := golden[v.File]
		wanted[want.ID] = withMilliseconds(want)
		if !bytes.Equal(bodies[want.ID].body, readSample(t, v.File)) {
			t.Errorf("%s: the sink received %q", v.File, bodies[want.ID].body)
		}
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}

	postSamples(t, r)
	n := len(deliver)
	r.counts(`webhook_accepted_total{channel="chat/a"}`, n)
	r.counts(`webhook_duplicates_total{channel="chat/a"}`, n)
	r.counts(`webhook_ignored_total{channel="chat/a",reason="excluded"}`, 2*excluded)
	r.counts(`webhook_ignored_total{channel="chat/a",reason="console_test"}`, 2)
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	r.counts(`delivery_attempts_total{channel="chat/a",result="taken"}`, n)
	if sink.attempted() != n {
		t.Errorf("%d deliveries of %d events", sink.attempted(), n)
	}
}

// withMilliseconds writes a time as the CloudEvents attribute does.
func withMilliseconds(a attributes) attributes {
	whole, fraction, _ := strings.Cut(strings.TrimSuffix(a.Time, "Z"), ".")
	a.Time = whole + "." + (fraction + "000")[:3] + "Z"
	return a
}

func TestRestartKeepsPendingEventsAndKnowsDuplicates(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	sink.answers(status(http.StatusServiceUnavailable))
	path := sampledSettings(t, sink.URL).write(t)
	first := start(t, path)
	deliver, _ := postSamples(t, first)
	var sent []message
	for n := range 20 {
		m := message{shopA, fmt.Sprint(n % 4), fmt.Sprintf("m-%02d", n)}
		first.call(m)
		sent = append(sent, m)
	}
	first.awaits(`inbox_backlog_events{channel="chat/a"}`, len(deliver)+len(sent))
	if err := first.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}

	sink.answers(nil)
	second := start(t, path)
	sink.awaits(t, len(deliver)+len(sent))
	postSamples(t, second)
	for _, m := range sent {
		second.call(m)
	}
	second.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	second.counts(`webhook_accepted_total{channel="chat/a"}`, 0)
	second.counts(`webhook_duplicates_total{channel="chat/a"}`, len(deliver)+len(sent))
	if taken := len(sink.takenSoFar()); taken != len(deliver)+len(sent) {
		t.Errorf("%d events were taken, want %d", taken, len(deliver)+len(sent))
	}
	ids := sink.ids()
	for talk := range 4 {
		if got := ids[fmt.Sprint(talk)]; len(got) != 5 || !slices.IsSorted(got) {
			t.Errorf("conversation %d arrived as %v", talk, got)
		}
	}
}

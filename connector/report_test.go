package connector_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// askReport returns the status of the report and its text.
func (r *running) askReport(authorization string) (status int, document string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+r.address.Metrics+report.Path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

func (r *running) report() (got report.Report) {
	r.t.Helper()
	status, document := r.askReport("Bearer " + reportToken)
	if status != http.StatusOK {
		r.t.Fatalf("the report: %d %s", status, document)
	}
	if err := json.Unmarshal([]byte(document), &got); err != nil {
		r.t.Fatal(err)
	}
	return got
}

// awaitsReport waits for a report.
func (r *running) awaitsReport(what string, holds func(report.Report) bool) (got report.Report) {
	r.t.Helper()
	poll.Until(r.t, what+" in the report", func() bool {
		got = r.report()
		return holds(got)
	})
	return got
}

func TestWhoReadsTheReport(t *testing.T) {
	t.Parallel()
	s := newSettings(t, channelSettings{name: shopA, sink: newReceiver(t).URL})
	s.report = ""
	r := start(t, s.write(t))
	const next = "another-synthetic-token"
	for _, step := range []struct {
		report, token string
		want          int
	}{
		{"", reportToken, http.StatusNotFound},
		{"token: {value: " + reportToken + "}", reportToken, http.StatusOK},
		{"token: {value: " + reportToken + "}", next, http.StatusUnauthorized},
		{"token: {value: " + next + "}", reportToken, http.StatusUnauthorized},
		{"token: {value: " + next + "}", next, http.StatusOK},
		{"token: {missing: true}", next, http.StatusNotFound},
	} {
		if s.report != step.report {
			s.report = step.report
			r.awaitReload("applied", func() { s.write(t) })
		}
		if status, _ := r.askReport("Bearer " + step.token); status != step.want {
			t.Errorf("%s: %d, want %d", step.report, status, step.want)
		}
	}
}

// idOf is the id of a signing key, of which the report knows no more than the SHA-256.
func idOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return report.KeyID(reportToken, string(sum[:]))
}

func TestTheReportTellsOfCallsAndKeys(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t,
		channelSettings{
			name: shopA, sink: sink.URL, keys: fmt.Sprintf("{name: main, value: %s}, {name: next, value: hidden-next-key-of-a}", keyOf(shopA)),
			zalo: fmt.Sprintf(`appID: %q, signature: {secretKeys: [{value: hidden-oa-secret-key, source: bot/oa-old}, {value: %s}]}`, app, secret),
		},
		channelSettings{name: shopB, sink: sink.URL},
	)
	began := time.Now().Add(-time.Second)
	r := start(t, s.write(t))
	r.call(message{shopA, "1", "a"})
	sink.awaits(t, 1)
	code, _, err := r.postRaw(message{shopB, "1", "b"}.body(), "mac="+strings.Repeat("0", 64), "?param.header.xp-api-key="+keyOf(shopB))
	if err != nil || code != http.StatusUnauthorized {
		t.Fatalf("a wrong signature: %d, %v", code, err)
	}
	got := r.awaitsReport("a delivery", func(got report.Report) bool { return got.Channels[0].Delivery.Pending == 0 })
	want := report.Report{
		Inbox: report.Inbox{State: report.InboxOK, LimitBytes: 64 << 20},
		Channels: []report.Channel{
			{
				Name: shopA, APIKeys: []report.Key{{Name: "main"}, {Name: "next"}},
				Signature: report.Signature{Mode: "Enforce", Keys: []report.Key{
					{Name: "bot/oa-old", ID: idOf("hidden-oa-secret-key")},
					{Name: "signature.secretKeys[1]", ID: idOf(secret)},
				}},
			},
			{
				Name: shopB, APIKeys: []report.Key{{Name: "main"}},
				Signature: report.Signature{
					Mode: "Enforce", Failed: 1, Keys: []report.Key{{Name: "signature.secretKeys[0]", ID: idOf(secret)}},
				},
			},
		},
	}
	times := cmpopts.IgnoreTypes(time.Time{})
	if diff := cmp.Diff(want, got, times, cmpopts.IgnoreFields(report.Inbox{}, "UsedBytes")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a, b := got.Channels[0], got.Channels[1]
	for what, at := range map[string]time.Time{
		"began": got.Began, "the last authentic call": a.LastAuthentic, "the last event": a.LastEvent, "the API key": a.APIKeys[0].LastUsed,
		"the signing key": a.Signature.Keys[1].LastUsed, "the first failure": b.Signature.FailingSince,
		"the last failure": b.Signature.LastFailed,
	} {
		if at.Before(began) || at.After(time.Now()) {
			t.Errorf("%s: %v", what, at)
		}
	}
	for what, at := range map[string]time.Time{
		"the other API key": a.APIKeys[1].LastUsed, "the other signing key": a.Signature.Keys[0].LastUsed, "a failure": a.Signature.FailingSince,
		"an authentic call": b.LastAuthentic, "an event": b.LastEvent, "the API key of a refused call": b.APIKeys[0].LastUsed,
	} {
		if !at.IsZero() {
			t.Errorf("%s: %v", what, at)
		}
	}
	if got.Inbox.UsedBytes <= 0 {
		t.Errorf("%d bytes used", got.Inbox.UsedBytes)
	}

	// A change of another channel forgets nothing, and a new key's failures are its own.
	s.channels[1].zalo = fmt.Sprintf(`appID: %q, signature: {secretKeys: [{value: hidden-oa-secret-key}]}`, app)
	r.awaitReload("applied", func() { s.write(t) })
	after := r.report()
	if diff := cmp.Diff(a, after.Channels[0]); diff != "" {
		t.Errorf("after a reload (-want +got):\n%s", diff)
	}
	if after.Channels[1].Signature.Failed != 0 {
		t.Errorf("failed with another key: %+v", after.Channels[1].Signature)
	}
}

func TestTheReportTellsOfTheSink(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	sink.answers(status(http.StatusServiceUnavailable))
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	r := start(t, s.write(t))
	r.call(message{shopA, "1", "a"})
	got := r.awaitsReport("a failing sink", func(got report.Report) bool {
		return !got.Channels[0].Delivery.FailingSince.IsZero()
	}).Channels[0].Delivery
	if got.Pending != 1 || got.LastError != "sink failed: HTTP 503" || got.Paused {
		t.Errorf("%+v", got)
	}
	r.awaitsReport("an event that waits", func(got report.Report) bool { return got.Channels[0].Delivery.OldestPendingSeconds > 0 })

	s.channels[0].delivery = "paused: true, " + quickRetries
	r.awaitReload("applied", func() { s.write(t) })
	if got := r.report().Channels[0].Delivery; !got.Paused || got.Pending != 1 {
		t.Errorf("paused: %+v", got)
	}

	sink.answers(status(http.StatusUnprocessableEntity))
	s.channels[0].delivery = ""
	r.awaitReload("applied", func() { s.write(t) })
	refused := r.awaitsReport("a dead letter", func(got report.Report) bool {
		return !got.Channels[0].DeadLetters.LatestAt.IsZero()
	}).Channels[0]
	want := report.DeadLetters{
		Count: 1, LatestReason: "refused", LatestError: "sink refused the event: HTTP 422", LatestAt: refused.DeadLetters.LatestAt,
	}
	if diff := cmp.Diff(want, refused.DeadLetters); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(report.Delivery{}, refused.Delivery); diff != "" {
		t.Errorf("a sink that refuses is up (-want +got):\n%s", diff)
	}
}

func TestTheLogLevelChangesWithoutARestart(t *testing.T) {
	t.Parallel()
	s := newSettings(t, channelSettings{name: shopA, sink: newReceiver(t).URL})
	s.log = "level: debug"
	r := start(t, s.write(t))
	for _, step := range []struct {
		log  string
		want slog.Level
	}{{s.log, slog.LevelDebug}, {"level: error", slog.LevelError}, {"level: warn", slog.LevelWarn}, {"", slog.LevelInfo}} {
		if step.log != s.log {
			s.log = step.log
			r.awaitReload("applied", func() { s.write(t) })
		}
		if got := r.level.Level(); got != step.want {
			t.Errorf("%q: %v", step.log, got)
		}
	}
}

// TestRefusalsAreInTheLogOfADefaultConfiguration, and their rest when the process ends.
func TestRefusalsAreInTheLogOfADefaultConfiguration(t *testing.T) {
	t.Parallel()
	r := start(t, newSettings(t, channelSettings{name: shopA, sink: newReceiver(t).URL}).write(t))
	for range 3 {
		code, _, err := r.postRaw(message{shopA, "1", "b"}.body(), "mac="+strings.Repeat("0", 64), "?param.header.xp-api-key="+keyOf(shopA))
		if err != nil || code != http.StatusUnauthorized {
			t.Fatalf("a wrong signature: %d, %v", code, err)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for line := range strings.Lines(r.logged()) {
		var said struct {
			Level, Msg, Channel, Reason string
			Calls                       int
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "calls refused" {
			total += said.Calls
			if said.Level != "INFO" || said.Channel != shopA || said.Reason != "signature_wrong" {
				t.Errorf("%s", line)
			}
		}
	}
	if total != 3 {
		t.Errorf("the log tells of %d calls", total)
	}
}

package connector_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
)

// A captured call comes to nothing after the window, and the log says why: it may be the clock.
func TestAnOldSignedCallIsRefusedAndTold(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	r := start(t, newSettings(t, channelSettings{name: shopA, sink: sink.URL, age: "24h"}).write(t))
	post := func(id string, at time.Time) int {
		timestamp := strconv.FormatInt(at.UnixMilli(), 10)
		body := []byte(strings.Replace(string(message{shopA, "1", id}.body()), "1782863507304", timestamp, 1))
		status, _, err := r.postRaw(body, zalo.Sign(app, body, timestamp, secret), "?param.header.xp-api-key="+keyOf(shopA))
		if err != nil {
			t.Error(err)
		}
		return status
	}
	now := time.Now()
	for range 3 {
		if status := post("old", now.Add(-25*time.Hour)); status != http.StatusServiceUnavailable {
			t.Errorf("a call of yesterday: %d", status)
		}
	}
	if status := post("new", now); status != http.StatusOK {
		t.Errorf("a call of now: %d", status)
	}
	sink.awaits(t, 1)
	r.counts(`webhook_refused_total{channel="chat/a",reason="stale"}`, 3)
	if n := strings.Count(r.logged(), "older than webhook.maxEventAge"); n != 1 {
		t.Errorf("told %d times", n)
	}
	status, err := r.api().Status(t.Context())
	if err != nil || len(status.Channels) != 1 || status.Channels[0].Stale != 3 || status.Channels[0].Refused != 3 {
		t.Errorf("status %+v, %v", status.Channels, err)
	}
}

// What a version lets through is said when it comes into use.
func TestWeakKeysAndModesAreTold(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL, keys: `{name: a, value: "hidden-key+with-a-plus"}`})
	r := start(t, s.write(t))
	if !strings.Contains(r.logged(), `"level":"WARN","msg":"configuration warning"`) {
		t.Error("the warnings are not of level warning")
	}
	for _, want := range []string{"shorter than 32 characters", "which a URL changes"} {
		if !strings.Contains(r.logged(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	r.counts(`webhook_signature_mode{channel="chat/a",mode="Enforce"}`, 1)
	s.channels[0].zalo = `appID: "1", signature: {mode: "Off"}`
	r.awaitReload("applied", func() { s.write(t) })
	r.counts(`webhook_signature_mode{channel="chat/a",mode="Off"}`, 1)
	if n := strings.Count(r.scrape(), "webhook_signature_mode{"); n != 1 {
		t.Errorf("%d modes of one channel", n)
	}
	if !strings.Contains(r.logged(), "no signature is looked at") {
		t.Error("the log does not tell of mode Off")
	}
	r.awaitReload("applied", func() { put(t, s.path(), "# a line above\n"+s.yaml()) })
	for _, told := range []string{"shorter than 32 characters", "which a URL changes", "no signature is looked at"} {
		if n := strings.Count(r.logged(), told); n != 1 {
			t.Errorf("%q is told %d times by three versions, want once", told, n)
		}
	}
}

package connector_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestAwaitsTheOASecretKey goes through the steps of Zalo's console, which shows the key only after it has called the
// webhook.
func TestAwaitsTheOASecretKey(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL, zalo: fmt.Sprintf(
		`appID: %q, signature: {secretKeys: [{file: oa-secret-key}]}, domainVerification: {codes: [AbCdEf]}`, app)})
	r := start(t, s.write(t))
	if want := `"level":"ERROR","path":"channels[0].zaloOA.signature.secretKeys[0].file"`; !strings.Contains(leveled(r.logged()), want) {
		t.Errorf("the log lacks %s", want)
	}
	for _, probe := range []string{"", "{}"} {
		if code, _, err := r.postRaw([]byte(probe), "", "?param.header.xp-api-key="+keyOf(shopA)); err != nil || code != http.StatusOK {
			t.Errorf("probe %q: %d, %v", probe, code, err)
		}
	}
	if code, _, err := r.post(message{shopA, "1", "early"}, keyOf(shopA)); err != nil || code != http.StatusServiceUnavailable {
		t.Errorf("an event before the key: %d, %v", code, err)
	}
	r.counts(`webhook_refused_total{channel="`+shopA+`",reason="awaiting_secret"}`, 1)
	r.awaitReload("applied", func() { put(t, filepath.Join(s.folder, "oa-secret-key"), secret) })
	r.call(message{shopA, "1", "early"}) // Zalo's retry
	sink.awaits(t, 1)
}

// leveled are lines of a log with the members that a test looks at next to each other.
func leveled(log string) string {
	var out strings.Builder
	for line := range strings.Lines(log) {
		fields := map[string]string{}
		for _, name := range []string{"level", "path"} {
			if _, rest, found := strings.Cut(line, `"`+name+`":"`); found {
				fields[name], _, _ = strings.Cut(rest, `"`)
			}
		}
		fmt.Fprintf(&out, `{"level":%q,"path":%q}`+"\n", fields["level"], fields["path"])
	}
	return out.String()
}

// TestWithoutASecretOfTheSink accepts events and holds them, and sends them when the secret is there.
func TestWithoutASecretOfTheSink(t *testing.T) {
	t.Parallel()
	for name, http := range map[string]string{
		"header":         "headers: [{name: Authorization, file: secret}]",
		"signing secret": "signingSecret: {file: secret}",
		"noted":          "headers: [{name: Authorization, missing: true, source: bot/authorization}]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newReceiver(t)
			s := newSettings(t, channelSettings{name: shopA, sink: sink.URL, http: http})
			r := start(t, s.write(t))
			r.call(message{shopA, "1", "held"})
			r.awaits(`inbox_backlog_events{channel="`+shopA+`"}`, 1)
			if n := sink.attempted(); n > 0 {
				t.Errorf("%d attempts without the secret", n)
			}
			r.awaitReload("applied", func() {
				if name == "noted" {
					s.channels[0].http = "headers: [{name: Authorization, value: Bearer-x}]"
					s.write(t)
					return
				}
				put(t, filepath.Join(s.folder, "secret"), "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")
			})
			sink.awaits(t, 1)
		})
	}
}

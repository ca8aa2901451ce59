package config_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
)

// What can be used and is seldom meant is said, and stops nothing.
func TestLoadWarns(t *testing.T) {
	const apiKey = "value: HiddenValue-api-key-0123456789abcdef"
	const short = `:16: channels[0].webhook.apiKeys[0]: is shorter than 32 characters: make one with "openssl rand -hex 32"`
	changes := func(key string) []string {
		return []string{apiKey, "value: \"" + key + "\""}
	}
	const changed = ":16: channels[0].webhook.apiKeys[0]: holds one of + & % ; #, which a URL changes: " +
		"paste it percent-encoded into the platform's console, " +
		"or every call is refused; better, take a key of letters and digits"
	for name, tc := range map[string]struct {
		edits []string
		want  []string
	}{
		"nothing":                       {nil, nil},
		"API key of 31 characters":      {changes("HiddenValue" + strings.Repeat("a", 20)), []string{short}},
		"API key of 32 characters":      {changes("HiddenValue" + strings.Repeat("a", 21)), nil},
		"API key of 16 characters":      {changes("HiddenValueàéîõü"), []string{short}},
		"API key with a plus":           {changes("HiddenValue+" + strings.Repeat("a", 20)), []string{changed}},
		"API key with an ampersand":     {changes("HiddenValue&" + strings.Repeat("a", 20)), []string{changed}},
		"API key with a percent":        {changes("HiddenValue%41" + strings.Repeat("a", 20)), []string{changed}},
		"API key with a semicolon":      {changes("HiddenValue;" + strings.Repeat("a", 20)), []string{changed}},
		"API key with a number sign":    {changes("HiddenValue#" + strings.Repeat("a", 20)), []string{changed}},
		"API key with what a URL keeps": {changes("HiddenValue=/?:@-._~!$'()*," + strings.Repeat("a", 20)), nil},
		"short OA secret": {[]string{"value: HiddenValue-oa-secret", "value: HiddenValue-oa"}, []string{
			":13: channels[0].zaloOA.signature.secretKeys[0]: is shorter than 16 characters: make sure that it is complete"}},
		"short secret of an OA": {[]string{"    signature:\n",
			"    officialAccounts: [{id: \"1\", secretKeys: [{value: HiddenValue-oa}]}]\n    signature:\n"}, []string{
			":11: channels[0].zaloOA.officialAccounts[0].secretKeys[0]: is shorter than 16 characters: make sure that it is complete"}},
		"mode Audit": {[]string{"    signature:\n", "    signature:\n      mode: Audit\n"}, []string{
			":12: channels[0].zaloOA.signature.mode: Audit: calls with a wrong signature or none are let in and counted; " +
				"every holder of an API key can send events"}},
		"mode Off": {[]string{"    signature:\n", "    signature:\n      mode: \"Off\"\n"}, []string{
			":12: channels[0].zaloOA.signature.mode: Off: no signature is looked at; every holder of an API key can send events"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, map[string]string{"connector.yaml": edit(t, minimal, tc.edits...)})
			c, err := config.Load(path, types.Config())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range c.Warnings() {
				got = append(got, strings.TrimPrefix(w.String(), path))
				if strings.Contains(w.String(), hidden) {
					t.Errorf("a secret is shown: %s", w)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("warnings of %s (-want +got):\n%s", filepath.Base(path), diff)
			}
		})
	}
}

func TestMaxEventAgeIsTheWindowUnlessSaid(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":                       24 * time.Hour,
		"    maxEventAge: 0s\n":  0,
		"    maxEventAge: 2h\n":  2 * time.Hour,
		"    maxEventAge: 48h\n": 48 * time.Hour,
	} {
		c, err := config.Load(write(t, map[string]string{"connector.yaml": edit(t, minimal, "  webhook:\n", "  webhook:\n"+text)}),
			types.Config())
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Duration(*c.Channels[0].Webhook.MaxEventAge); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	c, err := config.Load(write(t, map[string]string{"connector.yaml": edit(t, minimal, "inbox:\n", "inbox:\n  deduplicationWindow: 36h\n")}),
		types.Config())
	if err != nil {
		t.Fatal(err)
	}
	if got := time.Duration(*c.Channels[0].Webhook.MaxEventAge); got != 36*time.Hour {
		t.Errorf("%v of a window of 36h", got)
	}
}

// The keys of an OA alone are enough.
func TestAnOAsKeysAreEnough(t *testing.T) {
	c, err := config.Load(write(t, map[string]string{
		"oa": "HiddenValue-of-the-oa\n",
		"connector.yaml": edit(t, minimal, "    signature:\n      secretKeys:\n      - value: HiddenValue-oa-secret\n",
			"    officialAccounts: [{id: \"1\", secretKeys: [{file: oa}]}, {id: \"2\"}]\n"),
	}), types.Config())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Channels[0].Settings.(*zalo.Settings).OfficialAccounts[0].SecretKeys[0].Reveal(); got != "HiddenValue-of-the-oa" {
		t.Errorf("read %d characters", len(got))
	}
}

// TestCertificateWarns: of a pair that is used, the other side of the connection judges the times. They are told before
// that, both of the server's and of a sink's.
func TestCertificateWarns(t *testing.T) {
	const day, pair = 24 * time.Hour, "tls: {certFile: tls.crt, keyFile: tls.key}"
	now := time.Now()
	at := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339) }
	for name, c := range map[string]struct {
		from, until  time.Duration
		reason, want string
	}{
		"good":                {-day, 15 * day, "", ""},
		"good for the moment": {-90 * day, 14*day + time.Hour, "", ""},
		"renewed often":       {-17 * time.Hour, 7 * time.Hour, "", ""},
		"and late":            {-19 * time.Hour, 5 * time.Hour, config.ReasonExpiring, "ends at " + at(5*time.Hour) + ": renew it"},
		"ends soon":           {-90 * day, 14*day - time.Hour, config.ReasonExpiring, "ends at " + at(14*day-time.Hour) + ": renew it"},
		"ended": {-90 * day, -time.Hour, config.ReasonExpired,
			"expired at " + at(-time.Hour) + ": renew it, or the other side refuses the connection"},
		"not yet": {time.Hour, 90 * day, config.ReasonNotYetValid,
			"is not valid before " + at(time.Hour) + ": until then the other side refuses the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key := certificate.Between(t, now.Add(c.from), now.Add(c.until))
			path := write(t, map[string]string{
				"connector.yaml": edit(t, minimal, "url: http://bot.chat.svc/events", "url: https://bot.chat.svc/events\n      "+pair) +
					"server: {" + pair + "}\n",
				"tls.crt": cert, "tls.key": key,
			})
			loaded, err := config.Load(path, types.Config())
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			if c.want != "" {
				want["server.tls.certFile"], want["channels[0].sink.http.tls.certFile"] = c.want, c.want
			}
			got := map[string]string{}
			for _, w := range loaded.Warnings() {
				if got[w.Path] = w.Message; w.Reason != c.reason {
					t.Errorf("the reason is %q, want %q", w.Reason, c.reason)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

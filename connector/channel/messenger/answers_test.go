package messenger_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/messenger"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// vector is computed with openssl: printf '%s' BODY | openssl dgst -sha256 -hmac KEY.
const vector = "sha256=7cbc46b042d7e131c845c3f08d7028636dc75bdd529a85bfd25451ef6fc04d04"

func TestSign(t *testing.T) {
	if got := messenger.Sign([]byte(`{"object":"page","entry":[]}`), secret); got != vector {
		t.Errorf("%s, want %s", got, vector)
	}
}

func TestSignature(t *testing.T) {
	const enforce, audit, off = channel.SignatureEnforce, channel.SignatureAudit, channel.SignatureOff
	body := sample(t, "page-batch.json")
	right := messenger.Sign(body, secret)
	const missing, wrong = channel.ReasonSignatureMissing, channel.ReasonSignatureWrong
	for name, tt := range map[string]struct {
		header http.Header
		body   []byte
		want   channel.Reason
		early  channel.Reason // by the header alone
	}{
		"right":             {signed(right), body, "", ""},
		"upper-case digits": {signed("sha256=" + strings.ToUpper(right[7:])), body, "", ""},
		"missing":           {http.Header{}, body, missing, missing},
		"SHA-1 alone":       {http.Header{"X-Hub-Signature": {"sha1=00"}}, body, missing, missing},
		"empty":             {signed(""), body, wrong, wrong},
		"bare":              {signed(right[7:]), body, wrong, wrong},
		"other prefix":      {signed("sha1=" + right[7:]), body, wrong, wrong},
		"too short":         {signed(right[:70]), body, wrong, wrong},
		"too long":          {signed(right + "0"), body, wrong, wrong},
		"no hex":            {signed("sha256=" + strings.Repeat("g", 64)), body, wrong, wrong},
		"white space":       {signed(right + " "), body, wrong, wrong},
		"twice":             {http.Header{"X-Hub-Signature-256": {right, right}}, body, wrong, wrong},
		"another key":       {signed(messenger.Sign(body, secret[1:])), body, wrong, ""},
		"no key":            {signed(messenger.Sign(body, "")), body, wrong, ""},
		"tampered body":     {signed(right), []byte(strings.Replace(string(body), `"1"`, `"2"`, 1)), wrong, ""},
		"re-serialised":     {signed(right), append([]byte(" "), body...), wrong, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, settings(enforce, "other", secret))
			reading, refusal := c.Read(arrived, tt.header, tt.body)
			if reason(refusal) != tt.want || (refusal == nil) != (len(reading.Calls) == 4) || refusal != nil && refusal.Status != 401 {
				t.Errorf("Enforce: %+v", refusal)
			}
			if refusal := c.(channel.Prechecker).Precheck(tt.header); reason(refusal) != tt.early {
				t.Errorf("by the header: %+v", refusal)
			}
			for mode, failure := range map[channel.SignatureMode]channel.Reason{audit: tt.want, off: ""} {
				c := open(t, settings(mode, secret))
				reading, refusal := c.Read(arrived, tt.header, tt.body)
				if refusal != nil || reading.AuditFailure != failure || len(reading.Calls) != 4 ||
					reading.Verified != (mode == audit && tt.want == "") {
					t.Errorf("%s: %+v, failure %q", mode, refusal, reading.AuditFailure)
				}
				if refusal := c.(channel.Prechecker).Precheck(tt.header); refusal != nil {
					t.Errorf("%s, by the header: %+v", mode, refusal)
				}
			}
		})
	}
}

// A key that is missing reads as the empty one, with which anyone can sign.
func TestAwaitingTheSecret(t *testing.T) {
	body := sample(t, "page-message.json")
	for _, keys := range [][]string{nil, {""}, {"", ""}} {
		c := open(t, settings(channel.SignatureEnforce, keys...))
		for _, header := range []http.Header{{}, signed(messenger.Sign(body, ""))} {
			_, refusal := c.Read(arrived, header, body)
			if reason(refusal) != channel.ReasonAwaitingSecret || refusal.Status != 503 || c.(channel.Prechecker).Precheck(header) != nil {
				t.Errorf("%d keys: %+v", len(keys), refusal)
			}
		}
		if _, refusal := c.Read(arrived, nil, []byte(`{"entry":[null]}`)); reason(refusal) != channel.ReasonMalformed {
			t.Errorf("malformed: %+v", refusal)
		}
	}
	one := open(t, settings(channel.SignatureEnforce, "", secret))
	if _, refusal := one.Read(arrived, signed(messenger.Sign(body, "")), body); refusal == nil {
		t.Error("the empty key signs")
	}
}

func TestProbe(t *testing.T) {
	c := open(t, settings(channel.SignatureEnforce, secret))
	for _, body := range []string{"", " {} ", "\n"} {
		if reading, refusal := c.Read(arrived, nil, []byte(body)); refusal != nil || len(reading.Calls) > 0 {
			t.Errorf("%q: %+v", body, refusal)
		}
	}
	if _, refusal := c.Read(arrived, nil, []byte("{"+strings.Repeat(" ", 64)+"}")); reason(refusal) != channel.ReasonSignatureMissing {
		t.Errorf("%+v", refusal)
	}
}

func TestHandshake(t *testing.T) {
	challenge := strings.Repeat("7", 256)
	get := func(s *messenger.Settings, query string) channel.Answer {
		page := open(t, s).Public()[0]
		if page.Path != "" {
			t.Errorf("the handshake is served to anyone, on %q", page.Path)
		}
		return page.Serve(httptest.NewRequest(http.MethodGet, "/webhook?param.header.xp-api-key=k&"+query, http.NoBody))
	}
	const right = "hub.mode=subscribe&hub.verify_token=verify-me"
	accepted := []string{
		right + "&hub.challenge=1158201444", right + "&hub.challenge=" + challenge, "hub.challenge=1&" + right,
		"hub.mode=subscribe&hub.verify_token=verify%2Dme&hub.challenge=1",
	}
	refused := []string{
		right + "&hub.challenge=" + challenge + "7", right, right + "&hub.challenge=", right + "&hub.challenge=%0A1",
		right + "&hub.challenge=a+b", right + "&hub.challenge=%C3%A9", right + "&hub.challenge=1&hub.challenge=1", "",
		right + "&hub.challenge=1&hub.mode=subscribe", right + "&hub.challenge=1&hub.verify_token=x",
		"hub.mode=unsubscribe&hub.verify_token=verify-me&hub.challenge=1", "hub.verify_token=verify-me&hub.challenge=1",
		"hub.mode=subscribe&hub.verify_token=verify-m&hub.challenge=1", "hub.mode=subscribe&hub.verify_token=&hub.challenge=1",
		"hub.mode=subscribe&hub.challenge=1", right + "&hub.challenge=%zz", right + "&hub.challenge=1;2",
	}
	for i, query := range slices.Concat(accepted, refused) {
		want := http.StatusOK
		if i >= len(accepted) {
			want = http.StatusForbidden
		}
		answer := get(settings(channel.SignatureEnforce, secret), query)
		values, _ := url.ParseQuery(query)
		if answer.Status != want || (string(answer.Body) == values.Get("hub.challenge")) != (want == 200) {
			t.Errorf("%.90s: %d %s, want %d", query, answer.Status, answer.Body, want)
		}
		if want == 200 && answer.ContentType != "text/plain; charset=utf-8" || want != 200 && strings.Contains(string(answer.Body), "verify-me") {
			t.Errorf("%.90s: %s %s", query, answer.ContentType, answer.Body)
		}
	}
	missing := settings(channel.SignatureEnforce, secret)
	missing.VerifyTokenSecret = config.Secret{}
	for query, want := range map[string]int{
		right + "&hub.challenge=1": 503, "hub.mode=subscribe&hub.verify_token=&hub.challenge=1": 403, "hub.mode=subscribe&hub.challenge=1": 403,
	} {
		if answer := get(missing, query); answer.Status != want {
			t.Errorf("without a verify token, %s: %d %s, want %d", query, answer.Status, answer.Body, want)
		}
	}
}

// TestCheck: the loader says what is wrong with the section, and quotes no secret of it.
func TestCheck(t *testing.T) {
	const keys, token = "signature: {secretKeys: [{value: hidden-0123456789abcdef0123456789}]}", "verifyTokenSecret: {value: hidden-token}"
	for name, tt := range map[string]struct{ section, problem, warning string }{
		"the smallest":  {section: keys + ", " + token},
		"with pages":    {section: keys + ", " + token + `, pages: [{id: "1", displayName: Shop}, {id: "2"}]`},
		"Off":           {section: `signature: {mode: "Off"}, ` + token, warning: "signature.mode: Off"},
		"a short key":   {section: "signature: {secretKeys: [{value: hidden}]}, " + token, warning: "[0]: is shorter than 32 characters"},
		"no key":        {section: token, problem: `facebookMessenger.signature.secretKeys: want at least one key, or mode "Off"`},
		"no token":      {section: keys, problem: "facebookMessenger.verifyTokenSecret: set exactly one of value, file and missing"},
		"another mode":  {section: "signature: {mode: On}, " + token, problem: "facebookMessenger.signature.mode: want"},
		"a page twice":  {section: keys + ", " + token + `, pages: [{id: "1"}, {id: "1"}]`, problem: "pages[1].id: the same as"},
		"a page's name": {section: keys + ", " + token + `, pages: [{displayName: Shop}]`, problem: "pages[0].id: required"},
		"one secret for both": {
			section: keys + ", verifyTokenSecret: {value: hidden-0123456789abcdef0123456789}",
			problem: "facebookMessenger.verifyTokenSecret: is the same as signature.secretKeys[0], and would stand in URLs",
		},
		"a key that lets calls in": {
			section: "signature: {secretKeys: [{value: hidden-api-key-of-more-than-32-characters}]}, " + token,
			problem: "the app secret from Meta's console",
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
inbox: {embedded: {path: inbox}}
channels:
- name: chat/shop
  type: FacebookMessenger
  facebookMessenger: {` + tt.section + `}
  webhook: {apiKeys: [{name: main, value: hidden-api-key-of-more-than-32-characters}]}
  sink: {http: {url: "http://bot.example/events"}}
`
			loaded, err := config.LoadFrom("/connector.yaml", types.Config(), func(string) ([]byte, error) { return []byte(file), nil })
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "hidden") {
					t.Errorf("%v, want %q and no secret", err, tt.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			warnings := ""
			for _, one := range loaded.Warnings() {
				warnings += one.Path + ": " + one.Message + "\n"
			}
			if tt.warning == "" && warnings != "" || !strings.Contains(warnings, tt.warning) || strings.Contains(warnings, "hidden") {
				t.Errorf("warnings %q, want %q", warnings, tt.warning)
			}
			if window := time.Duration(loaded.Inbox.DeduplicationWindow); window < 37*time.Hour {
				t.Errorf("a window of %v is shorter than Meta's retries", window)
			}
		})
	}
}

func TestSample(t *testing.T) {
	s := messenger.Type.Sample
	body, err := s.Body(map[string]string{"page-id": page, "user-id": user, "text": `<"xin chào">`}, arrived)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	if err := s.Sign(header, body, secret); err != nil {
		t.Fatal(err)
	}
	reading, refusal := open(t, settings(channel.SignatureEnforce, secret)).Read(arrived, header, body)
	if refusal != nil || len(reading.Calls) != 1 {
		t.Fatalf("%+v", refusal)
	}
	got := reading.Calls[0]
	if diff := cmp.Diff([]string{"message", "page/" + page + "/user/" + user}, []string{got.Name, got.Event.Conversation}); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(body), `<\"xin chào\">`) {
		t.Errorf("%s", body)
	}
}

func FuzzSignatureHeader(f *testing.F) {
	for _, value := range []string{vector, "", "sha256=", "sha256=" + strings.Repeat("g", 64), "SHA256=" + strings.Repeat("0", 64)} {
		f.Add(value)
	}
	body := []byte(`{"object":"page","entry":[]}`)
	c := open(f, settings(channel.SignatureEnforce, secret))
	f.Fuzz(func(t *testing.T, value string) {
		_, refusal := c.Read(arrived, signed(value), body)
		if right := strings.HasPrefix(value, "sha256=") && strings.EqualFold(value, vector); (refusal == nil) != right {
			t.Errorf("%q: %+v", value, refusal)
		}
	})
}

func FuzzHandshake(f *testing.F) {
	f.Add("hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=1")
	f.Add("hub.mode=subscribe;hub.verify_token=verify-me")
	serve := open(f, settings(channel.SignatureEnforce, secret)).Public()[0].Serve
	f.Fuzz(func(t *testing.T, query string) {
		answer := serve(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/", RawQuery: query}})
		values, _ := url.ParseQuery(query)
		if answer.Status == 200 && (values.Get("hub.verify_token") != "verify-me" || values.Get("hub.challenge") != string(answer.Body)) {
			t.Errorf("%q: %s", query, answer.Body)
		}
	})
}

package zalobot_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalobot"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write testdata/golden.json again")

const (
	name  = "chat/bot"
	token = "hidden-token-0123456789"
)

// arrived is when the calls arrive.
var arrived = time.Unix(1782863600, 0).UTC()

func open(tb testing.TB, mode channel.SignatureMode, tokens ...string) channel.Channel {
	tb.Helper()
	s := &zalobot.Settings{SecretToken: zalobot.SecretToken{Mode: mode}}
	for _, one := range tokens {
		s.SecretToken.SecretKeys = append(s.SecretToken.SecretKeys, config.NewSecret(one))
	}
	opened, err := zalobot.Type.Open(name, s, channel.Environment{})
	if err != nil {
		tb.Fatal(err)
	}
	return opened
}

func shown(values ...string) http.Header { return http.Header{"X-Bot-Api-Secret-Token": values} }

func reason(refusal *channel.Refusal) channel.Reason {
	if refusal == nil {
		return ""
	}
	return refusal.Reason
}

// samples are the bodies in testdata, by name.
func samples(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*-*.json")
	if err != nil || len(paths) < 9 {
		tb.Fatalf("samples: %d, %v", len(paths), err)
	}
	bodies := make(map[string][]byte)
	for _, path := range paths {
		if bodies[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			tb.Fatal(err)
		}
	}
	return bodies
}

// found is an event as a golden file shows it.
type found struct {
	Name, KnownName, ID, Source, Type, Subject, Conversation, Time, Body string

	Aged bool
}

func TestSamples(t *testing.T) {
	got := map[string][]found{}
	for file, body := range samples(t) {
		reading, refusal := open(t, channel.SignatureEnforce, token).Read(arrived, shown(token), body)
		if refusal != nil || !reading.Verified || reading.SignedBy != sha256.Sum256([]byte(token)) {
			t.Fatalf("%s: %+v", file, refusal)
		}
		for _, call := range reading.Calls {
			e := call.Event
			if call.Kind != channel.KindEvent || e.Channel != name || e.ContentType != "application/json" || !bytes.Contains(body, e.Body) {
				t.Errorf("%s: %+v", file, call)
			}
			got[file] = append(got[file], found{
				call.Name, call.KnownName, e.ID.String()[:16], e.Source, e.Type, e.Subject, e.Conversation,
				e.Time.Format(time.RFC3339Nano), string(e.Body), !call.SentAt.IsZero(),
			})
		}
	}
	const golden = "testdata/golden.json"
	if *update {
		raw, err := json.MarshalIndent(got, "", " ")
		if err == nil {
			err = os.WriteFile(golden, append(raw, '\n'), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]found{}
	raw, err := os.ReadFile(golden)
	if err == nil {
		err = json.Unmarshal(raw, &want)
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if bare, wrapped := got["bare-text.json"][0], got["wrapped-text.json"][0]; bare != wrapped || bare != got["wrapped-list.json"][0] {
		t.Error("a wrapped event is another than the bare one")
	}
}

func read(t *testing.T, body string) []channel.Call {
	t.Helper()
	reading, refusal := open(t, channel.SignatureOff).Read(arrived, nil, []byte(body))
	if refusal != nil {
		t.Fatalf("%.100s: %s", body, refusal.Message)
	}
	return reading.Calls
}

// message is an event with other members than the usual ones.
func message(change ...string) string {
	return strings.NewReplacer(change...).Replace(
		`{"event_name":"message.text.received","message":{"from":{"id":"u"},"chat":{"id":"c","chat_type":"PRIVATE"},` +
			`"message_id":"m","date":1782863507304}}`)
}

func TestIDs(t *testing.T) {
	first := read(t, message())[0].Event.ID
	wrapped := `{"result":` + message() + `,"ok":true}`
	for _, same := range []string{wrapped, message(`"date"`, `"text":"x","date"`), message(`"m"`, `"\u006d"`)} {
		if read(t, same)[0].Event.ID != first {
			t.Errorf("%s has another id", same)
		}
	}
	seen := map[event.ID]string{first: "the first"}
	for _, other := range []string{
		message(`"m"`, `"n"`), message(`"u"`, `"v"`), message(`"c"`, `"d"`), message("PRIVATE", "GROUP"), message(".text.", ".image."),
		message(".text.", ".reaction."), message(".text.", ".reaction.", `"m"`, `"m","emoji":"x"`), message(`"message_id":"m"`, `"n":1`),
		message(`"message_id":"m"`, `"n":2`), message(`"m"`, `"\ud800"`), message(`"m"`, `"\ud801"`), message(`"c"`, `{"c":1}`),
		message(`"c"`, `{"c":2}`), message(`"u"`, `"\ud800"`), message(`"u"`, `"\ud801"`), message(`"m"`, `"`+strings.Repeat("m", 257)+`"`),
		message(`"m"`, `"`+strings.Repeat("m", 258)+`"`),
	} {
		id := read(t, other)[0].Event.ID
		if before, again := seen[id]; again {
			t.Errorf("%s\nhas the id of\n%s", other, before)
		}
		seen[id] = other
	}
}

func TestConversations(t *testing.T) {
	for body, want := range map[string]string{
		message(): "chat/c", message("PRIVATE", "GROUP"): "group/c", message(`"id":"c",`, ``): "user/u", message(`"c"`, `true`): "user/u",
		`{"event_name":"x"}`: "bot", `{"a":1}`: "bot",
	} {
		if got := read(t, body)[0].Event.Conversation; got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	for date, want := range map[string]time.Time{
		`1782863507304`: time.UnixMilli(1782863507304).UTC(), `"1782863507304"`: time.UnixMilli(1782863507304).UTC(),
		`1782863507`: time.Unix(1782863507, 0).UTC(), `17828635073`: {}, `null`: {}, `"today"`: {}, `1.782863507e9`: {},
	} {
		got := read(t, message("1782863507304", date))[0]
		if !got.SentAt.Equal(want) || want.IsZero() && !got.Event.Time.Equal(arrived) || !want.IsZero() && !got.Event.Time.Equal(want) {
			t.Errorf("%s: %v, sent at %v", date, got.Event.Time, got.SentAt)
		}
	}
}

// What is not understood is an event like any other, but for an empty list.
func TestWrapping(t *testing.T) {
	one := message()
	for body, want := range map[string][]string{
		`{"a":1}`: {"unknown"}, `{"ok":true,"result":true}`: {"unknown"}, `{"result":"x"}`: {"unknown"}, `{"result":null}`: {"unknown"},
		`{"result":{}}`: {"unknown"}, `{"result":{"result":` + one + `}}`: {"unknown"}, `{"ok":true,"result":[]}`: nil,
		`{"event_name":"x","result":[` + one + `]}`: {"x"}, `{"event_name":null,"result":[` + one + `]}`: {"message.text.received"},
		`{"result":[` + one + `,{}]}`: {"message.text.received", "unknown"}, `{"event_name":["x"]}`: {"unknown"},
	} {
		names := []string(nil)
		for _, call := range read(t, body) {
			names = append(names, call.Name)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	c := open(t, channel.SignatureOff)
	for _, bad := range []string{
		`{"result":[` + one + `,null]}`, `{"result":[` + one + `,[]]}`, `{"result":[{"event_name":1,"event_name":2},` + one + `]}`,
		`{"result":{"message":{"date":1,"date":1}}}`, `{"result":1,"result":2}`, `[` + one + `]`, one + one, one[1:],
		"\x1f\x8b", "\xef\xbb\xbf{}",
		`{"result":[` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `]}`, "{\"a\":\"\xff\"}",
	} {
		reading, refusal := c.Read(arrived, nil, []byte(bad))
		if reason(refusal) != channel.ReasonMalformed || refusal.Status != 400 || reading.Calls != nil {
			t.Errorf("%.80s: %+v", bad, refusal)
		}
	}
	for count, want := range map[int]int{channel.MaxCalls: 0, channel.MaxCalls + 1: 413, 300_000: 413} {
		_, refusal := c.Read(arrived, nil, []byte(`{"result":[`+strings.Repeat(`{},`, count-1)+`{}]}`))
		if (refusal != nil) != (want != 0) || refusal != nil && refusal.Status != want {
			t.Errorf("%d events: %+v", count, refusal)
		}
	}
	large := message(`"date"`, `"text":"`+strings.Repeat("x", 1<<20-300)+`","date"`)
	if calls := read(t, `{"result":`+large+`}`); string(calls[0].Event.Body) != large {
		t.Errorf("of 1 MiB, %d bytes are the event", len(calls[0].Event.Body))
	}
}

func TestSecretToken(t *testing.T) {
	const missing, wrong = channel.ReasonSignatureMissing, channel.ReasonSignatureWrong
	body := []byte(message())
	for name, tt := range map[string]struct {
		header http.Header
		want   channel.Reason
	}{
		"the first": {shown("first-token"), ""}, "the second": {shown(token), ""},
		"none": {http.Header{}, missing}, "empty": {shown(""), wrong}, "another": {shown("another-token"), wrong},
		"a part": {shown(token[1:]), wrong},
		"longer": {shown(token + "0"), wrong}, "another case": {shown(strings.ToUpper(token)), wrong}, "twice": {shown(token, token), wrong},
		"both": {shown(token, "first-token"), wrong}, "8 KiB": {shown(strings.Repeat("x", 8<<10)), wrong},
	} {
		t.Run(name, func(t *testing.T) {
			for mode, want := range map[channel.SignatureMode]channel.Reason{
				channel.SignatureEnforce: tt.want, channel.SignatureAudit: "", channel.SignatureOff: "",
			} {
				c := open(t, mode, "first-token", token)
				reading, refusal := c.Read(arrived, tt.header, body)
				if reason(refusal) != want || (refusal == nil) != (len(reading.Calls) == 1) || refusal != nil && refusal.Status != 401 {
					t.Errorf("%s: %+v", mode, refusal)
				}
				if mode == channel.SignatureAudit && reading.AuditFailure != tt.want ||
					reading.Verified != (tt.want == "" && mode != channel.SignatureOff) {
					t.Errorf("%s: failure %q, verified %v", mode, reading.AuditFailure, reading.Verified)
				}
				if early := c.(channel.Prechecker).Precheck(tt.header); reason(early) != want {
					t.Errorf("%s, by the header: %+v", mode, early)
				}
			}
		})
	}
	for _, tokens := range [][]string{nil, {""}} {
		c := open(t, channel.SignatureEnforce, tokens...)
		if _, refusal := c.Read(arrived, shown(""), body); reason(refusal) != channel.ReasonAwaitingSecret || refusal.Status != 503 {
			t.Errorf("without tokens: %+v", refusal)
		}
		if c.(channel.Prechecker).Precheck(http.Header{}) != nil {
			t.Error("refused by the header, without a token")
		}
		if _, refusal := c.Read(arrived, nil, []byte("[]")); reason(refusal) != channel.ReasonMalformed {
			t.Errorf("malformed: %+v", refusal)
		}
	}
	if _, refusal := open(t, channel.SignatureEnforce, "", token).Read(arrived, shown(""), body); reason(refusal) != wrong {
		t.Errorf("a missing key: %+v", refusal)
	}
	for _, probe := range []string{"", "{}", " { } "} {
		reading, refusal := open(t, channel.SignatureEnforce, token).Read(arrived, nil, []byte(probe))
		if refusal != nil || len(reading.Calls) > 0 {
			t.Errorf("probe %q: %+v", probe, refusal)
		}
	}
}

// TestCheck: the loader says what is wrong with the section, and quotes no secret of it.
func TestCheck(t *testing.T) {
	tokens := func(value string) string { return "secretToken: {secretKeys: [{value: " + value + "}]}" }
	for name, tt := range map[string]struct{ section, problem string }{
		"the smallest":    {section: tokens("hidden-1")},
		"the largest":     {section: tokens(strings.Repeat("hidden01", 32))},
		"Off":             {section: `secretToken: {mode: "Off"}`},
		"too short":       {section: tokens("hidden1"), problem: "zaloBot.secretToken.secretKeys[0]: has 7 characters, and"},
		"too long":        {section: tokens(strings.Repeat("hidden01", 32) + "x"), problem: "has 257 characters"},
		"no token":        {section: "secretToken: {mode: Audit}", problem: `secretToken.secretKeys: want at least one key, or mode "Off"`},
		"the API key":     {section: tokens("hidden-api-key-of-more-than-32-characters"), problem: "secret token from the call of setWebhook"},
		"an unknown name": {section: "secretTokens: {}", problem: `unknown field: did you mean "secretToken"?`},
	} {
		t.Run(name, func(t *testing.T) {
			file := `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
inbox: {embedded: {path: inbox}}
channels:
- name: chat/bot
  type: ZaloBot
  zaloBot: {` + tt.section + `}
  webhook: {apiKeys: [{name: main, value: hidden-api-key-of-more-than-32-characters}]}
  sink: {http: {url: "http://bot.example/events"}}
`
			_, err := config.LoadFrom("/connector.yaml", types.Config(), func(string) ([]byte, error) { return []byte(file), nil })
			if tt.problem == "" && err != nil ||
				tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "hidden")) {
				t.Errorf("%v, want %q and no secret", err, tt.problem)
			}
		})
	}
}

func TestSample(t *testing.T) {
	s, values := zalobot.Type.Sample, map[string]string{}
	for _, field := range s.Fields {
		values[field.Name] = field.Default
	}
	body, err := s.Body(values, arrived)
	header := http.Header{}
	if err != nil || s.Sign(header, body, token) != nil {
		t.Fatal(err)
	}
	reading, refusal := open(t, channel.SignatureEnforce, token).Read(arrived, header, body)
	if refusal != nil || reading.Calls[0].KnownName != "message.text.received" || !reading.Calls[0].Event.Time.Equal(arrived) {
		t.Errorf("%+v, %+v", refusal, reading)
	}
}

func FuzzRead(f *testing.F) {
	for _, body := range samples(f) {
		f.Add(body)
	}
	f.Add([]byte(`{"result":[{},null]}`))
	f.Add([]byte(`{"result":{"event_name":"\ud800"}}`))
	c := open(f, channel.SignatureAudit, token)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		reading, refusal := c.Read(arrived, shown(token), body)
		if !bytes.Equal(before, body) || refusal != nil && len(reading.Calls) > 0 {
			t.Fatalf("%+v with %d events, or the body was changed", refusal, len(reading.Calls))
		}
		for _, call := range reading.Calls {
			e := call.Event
			if call.Name == "" || e.ID == (event.ID{}) || !json.Valid(e.Body) || !bytes.Contains(body, e.Body) || e.Time.IsZero() {
				t.Fatalf("%+v", call)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	body := samples(b)["bare-text.json"]
	c, header := open(b, channel.SignatureEnforce, token), shown(token)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(arrived, header, body); err != nil {
			b.Fatal(err)
		}
	}
}

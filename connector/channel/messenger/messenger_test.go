package messenger_test

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
	"xbot.a4b.vn/channel-connector/connector/channel/messenger"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write testdata/golden.json again")

const (
	name   = "chat/shop"
	secret = "0123456789abcdef0123456789abcdef"
	page   = "104567891234567"
	user   = "7412589630147852"
)

// arrived is when the calls arrive.
var arrived = time.Unix(1782863600, 0).UTC()

// settings are those of a channel.
func settings(mode channel.SignatureMode, keys ...string) *messenger.Settings {
	s := &messenger.Settings{Signature: messenger.Signature{Mode: mode}, VerifyTokenSecret: config.NewSecret("verify-me")}
	for _, key := range keys {
		s.Signature.SecretKeys = append(s.Signature.SecretKeys, config.NewSecret(key))
	}
	return s
}

func open(tb testing.TB, s *messenger.Settings) channel.Channel {
	tb.Helper()
	opened, err := messenger.Type.Open(name, s, channel.Environment{})
	if err != nil {
		tb.Fatal(err)
	}
	return opened
}

func signed(value string) http.Header { return http.Header{"X-Hub-Signature-256": {value}} }

func reason(refusal *channel.Refusal) channel.Reason {
	if refusal == nil {
		return ""
	}
	return refusal.Reason
}

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	body, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// samples are the bodies in testdata, by name.
func samples(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*-*.json")
	if err != nil || len(paths) < 20 {
		tb.Fatalf("samples: %d, %v", len(paths), err)
	}
	bodies := make(map[string][]byte)
	for _, path := range paths {
		bodies[filepath.Base(path)] = sample(tb, filepath.Base(path))
	}
	return bodies
}

// found is an event as a golden file shows it.
type found struct {
	Name, KnownName, ID, Source, Type, Subject, Conversation, Time string
	Aged                                                           bool
	Body                                                           string
}

// TestSamples: every item of a call is its own event, with the bytes that it had in the call.
func TestSamples(t *testing.T) {
	c := open(t, settings(channel.SignatureEnforce, secret))
	got := map[string][]found{}
	for file, body := range samples(t) {
		reading, refusal := c.Read(arrived, signed(messenger.Sign(body, secret)), body)
		if refusal != nil || !reading.Verified || reading.SignedBy != sha256.Sum256([]byte(secret)) {
			t.Fatalf("%s: %v", file, refusal)
		}
		for _, call := range reading.Calls {
			e := call.Event
			if e.Channel != name || e.ContentType != "application/json" || !bytes.Contains(body, e.Body) {
				t.Errorf("%s: channel %s, %s, body %s", file, e.Channel, e.ContentType, e.Body)
			}
			got[file] = append(got[file], found{
				call.Name, call.KnownName, e.ID.String()[:16], e.Source, e.Type, e.Subject, e.Conversation,
				e.Time.Format(time.RFC3339Nano), !call.SentAt.IsZero(), string(e.Body),
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
	if err := json.Unmarshal(sample(t, "golden.json"), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// item is a message to the page, or whatever kind says.
func item(kind string) string {
	return `{"sender":{"id":"` + user + `"},"recipient":{"id":"` + page + `"},"timestamp":1782863507304,` + kind + `}`
}

func entry(items ...string) string {
	return `{"id":"` + page + `","time":1782863507315,"messaging":[` + strings.Join(items, ",") + `]}`
}

func call(entries ...string) string {
	return `{"object":"page","entry":[` + strings.Join(entries, ",") + `]}`
}

func read(t *testing.T, body string) []channel.Call {
	t.Helper()
	reading, refusal := open(t, settings(channel.SignatureOff)).Read(arrived, nil, []byte(body))
	if refusal != nil {
		t.Fatalf("%.100s: %s", body, refusal.Message)
	}
	return reading.Calls
}

// Retries of an event have its id, also in a call with other neighbours; all that may be another event has another id.
func TestIDs(t *testing.T) {
	id := func(body string) event.ID { return read(t, body)[0].Event.ID }
	text := item(`"message":{"mid":"m_1","text":"a"}`)
	first := id(call(entry(text)))
	for what, same := range map[string]string{
		"a retry in another call":      call(entry(text), entry(item(`"read":{"watermark":1}`))),
		"a retry of another shape":     call(entry(item(` "message" : {"text":"a","mid":"m_\u0031"}`))),
		"a retry in an entry of later": strings.Replace(call(entry(text)), "1782863507315", "1782863999999", 1),
		"a retry beside the unknown":   strings.Replace(call(entry(text)), `"messaging"`, `"later":1,"messaging"`, 1),
	} {
		if id(same) != first {
			t.Errorf("%s has another id", what)
		}
	}
	for _, change := range []string{
		`"field":"comments","value":{"id":"1","text":"a"}`, `"field":"live_comments","value":{"id":"1","text":"a"}`,
		`"field":"leadgen","value":{"leadgen_id":"1"}`, `"field":"feed","value":{"item":"comment","verb":"add","created_time":1782863500}`,
	} {
		body := `{"object":"page","entry":[{"id":"1","time":1782863507,"changes":[{` + change + `}]}]}`
		if id(body) != id(strings.Replace(body, "1782863507", "1782863999", 1)) {
			t.Errorf("%s has another id when it is sent again", change)
		}
	}
	seen := map[event.ID]string{first: "the first"}
	long := strings.Repeat("m", 257)
	for _, other := range []string{
		call(entry(item(`"message":{"mid":"m_2","text":"a"}`))),
		call(entry(item(`"message":{"mid":"m_1","is_deleted":true}`))),
		call(entry(item(`"message":{"mid":"m_1","is_echo":true}`))),
		call(entry(item(`"message_edit":{"mid":"m_1","text":"b"}`))),
		call(entry(item(`"reaction":{"mid":"m_1","action":"react"}`))),
		call(entry(item(`"reaction":{"mid":"m_1","action":"unreact"}`))),
		call(entry(item(`"message":{"mid":"\ud800","text":"a"}`))),
		call(entry(item(`"message":{"mid":"\ud801","text":"a"}`))),
		call(entry(item(`"message":{"mid":"` + long + `1"}`))),
		call(entry(item(`"message":{"mid":"` + long + `2"}`))),
		strings.ReplaceAll(call(entry(text)), user, "7412589630147853"),
		strings.ReplaceAll(call(entry(text)), page, "104567891234568"),
		strings.Replace(call(entry(text)), `"page"`, `"instagram"`, 1),
		strings.Replace(call(entry(text)), "messaging", "standby", 1),
		strings.Replace(call(entry(text)), `"id":"`+page+`","time"`, `"id":"\ud800","time"`, 1),
		strings.Replace(call(entry(text)), `"id":"`+page+`","time"`, `"id":"\ud801","time"`, 1),
		`{"object":"\ud800","entry":[` + entry(text) + `]}`, `{"object":"\ud801","entry":[` + entry(text) + `]}`,
		`{"object":"page","entry":[{"id":"0","time":1782863507,"changes":[{"field":"comments","value":{"id":"1"}}]}]}`,
		`{"object":"page","entry":[{"id":"0","time":1782863508,"changes":[{"field":"comments","value":{"id":"1"}}]}]}`,
		`{"object":"page","entry":[{"id":"1","time":1782863507,"changes":[{"field":"feed","value":{"verb":"edited","created_time":1}}]}]}`,
		`{"object":"page","entry":[{"id":"1","time":1782863508,"changes":[{"field":"feed","value":{"verb":"edited","created_time":1}}]}]}`,
		`{"object":"page","entry":[{"id":"1","time":1782863507,"changes":[{"field":"feed","value":{"verb":"add"}}]}]}`,
		`{"object":"page","entry":[{"id":"1","time":1782863508,"changes":[{"field":"feed","value":{"verb":"add"}}]}]}`,
		`{"object":"page","entry":[{"id":"1","time":1782863507,"changes":[{"field":"comments","value":{}}]}]}`,
		`{"object":"page","entry":[{"id":"1","time":1782863508,"changes":[{"field":"comments","value":{}}]}]}`,
		`{"object":"page","entry":[{"id":"1","time":1782863507,"changes":[{"field":"live_videos","value":{"id":"1"}}]}]}`,
		`{"object":"page","entry":[{"id":"1","time":1782863508,"changes":[{"field":"live_videos","value":{"id":"1"}}]}]}`,
		`{"object":"page","entry":[{"id":"2","time":1782863508,"changes":[{"field":"live_videos","value":{"id":"1"}}]}]}`,
	} {
		if before, again := seen[id(other)]; again {
			t.Errorf("%s\nhas the id of\n%s", other, before)
		}
		seen[id(other)] = other
	}
}

// What is not understood is an event like any other.
func TestNothingIsLost(t *testing.T) {
	for body, want := range map[string]string{
		`{"object":"page"}`: "unknown", `{"object":"page","entry":[]}`: "unknown", `{"entry":{"id":"1"}}`: "unknown", `{"a":1}`: "a",
		`{"object":"permissions","entry":[{"id":"1","time":1,"changed_fields":["x"]}]}`: "changed_fields",
		call(`{}`): "unknown", call(`{"messaging":[]}`): "unknown", call(`{"messaging":{"a":1}}`): "unknown",
		call(`{"id":"1","later":[{}]}`): "later",
		call(entry(`{}`)):               "unknown", call(entry(item(`"message":"text"`))): "message",
		call(entry(item(`"message":null`))):      "unknown",
		call(entry(item(`"later":1,"read":{}`))): "read", call(entry(item(`"` + strings.Repeat("x", 257) + `":1`))): "unknown",
		`{"object":"page","entry":[{"changes":[{"value":"x"}]}]}`:                 "changes_unknown",
		`{"object":"page","entry":[{"changes":[{"field":"x\ud800","value":1}]}]}`: "changes_x\ufffd",
	} {
		calls := read(t, body)
		if len(calls) != 1 || calls[0].Name != want || calls[0].Kind != channel.KindEvent || calls[0].Event.ID == (event.ID{}) {
			t.Errorf("%.100s: %d events, the first is %q, want %q", body, len(calls), calls[0].Name, want)
		}
	}
}

// What stands beside the lists is no part of an item, so the entry or the call around it is an event as well.
func TestNothingBesideTheListsIsLost(t *testing.T) {
	text := item(`"message":{"mid":"m_1"}`)
	beside := func(more string) string { return strings.Replace(entry(text), `"messaging"`, more+`,"messaging"`, 1) }
	for body, want := range map[string][]string{
		call(beside(`"later":[{"a":1}]`), entry(text)):                  {"message", "later", "message"},
		call(beside(`"hop_context":[{"app_id":1}],"standby":[{}]`)):     {"message", "standby_unknown", "hop_context"},
		call(beside(`"hop_context":{"app_id":1}`)):                      {"message", "hop_context"},
		call(beside(`"uid":"1"`)):                                       {"message"},
		call(beside(`"changes":{"field":"feed"}`)):                      {"message", "unknown"},
		call(beside(`"changes":"x"`)):                                   {"message", "unknown"},
		call(beside(`"standby":null,"changes":[]`)):                     {"message"},
		call(beside(`"later":1`), beside(`"more":1`)):                   {"message", "later", "message", "more"},
		`{"object":"page","later":{},"entry":[` + entry(text) + `]}`:    {"message", "later"},
		`{"object":"page","later":1,"entry":[` + beside(`"x":1`) + `]}`: {"message", "x", "later"},
		`{"object":"page","entry":[` + entry(text) + `],"\ud800":[{}]}`: {"message", "\ufffd"},
	} {
		names := []string{}
		for _, call := range read(t, body) {
			names = append(names, call.Name)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	whole := beside(`"later":[{"a":1}]`)
	calls := read(t, call(entry(text), whole))
	if got := calls[2].Event; string(got.Body) != whole || got.Source != "/facebook/page/"+page || got.Conversation != "page/"+page {
		t.Errorf("%+v", got)
	}
}

// A malformed part refuses the whole call.
func TestAllOrNothing(t *testing.T) {
	good := item(`"message":{"mid":"m_1"}`)
	deep := strings.Repeat(`[`, 60) + strings.Repeat(`]`, 60)
	bad := map[string]string{
		"text": `"x"`, "number": `7`, "null": `null`, "list": `[]`, "sender twice": item(`"sender":{}`),
		"mid twice":     item(`"message":{"mid":"1","mid":"1"}`),
		"message twice": item(`"message":{},"message":{}`), "timestamp twice": item(`"timestamp":1`), "too deep": item(`"a":` + deep),
		"is_echo twice": item(`"message":{"is_echo":true,"is_echo":false}`),
	}
	bodies := map[string]string{
		"entry twice": `{"entry":[],"entry":[]}`, "object twice": `{"object":"page","object":"page"}`, "no object": `[` + call(entry(good)) + `]`,
		"cut short": call(entry(good))[:60], "gzip": "\x1f\x8b", "byte order mark": "\xef\xbb\xbf{}", "no UTF-8": "{\"a\":\"\xff\"}",
		"an entry that is null": call(entry(good), `null`), "an entry with two ids": call(entry(good), `{"id":"1","id":"1"}`),
		"an entry with two lists":  call(entry(good), `{"messaging":[],"messaging":[]}`),
		"a change with two fields": `{"entry":[{"changes":[{"field":"a","field":"b"}]}]}`,
	}
	for what, one := range bad {
		bodies[what+" at the end"], bodies[what+" at the begin"] = call(entry(good, good, one)), call(entry(one), entry(good))
	}
	for what, body := range bodies {
		for _, mode := range []channel.SignatureMode{channel.SignatureEnforce, channel.SignatureAudit, channel.SignatureOff} {
			reading, refusal := open(t, settings(mode, secret)).Read(arrived, nil, []byte(body))
			if reason(refusal) != channel.ReasonMalformed || refusal.Status != http.StatusBadRequest || len(reading.Calls) > 0 {
				t.Errorf("%s under %s: %+v", what, mode, refusal)
			}
		}
	}
	for what, one := range map[string]string{"read": item(`"a":` + deep[1:len(deep)-1]), "good": good} {
		if calls := read(t, call(entry(good, one))); len(calls) != 2 {
			t.Errorf("%s: %d events", what, len(calls))
		}
	}
}

func TestManyItems(t *testing.T) {
	one := item(`"read":{"watermark":1}`)
	for count, want := range map[int]int{channel.MaxCalls: 0, channel.MaxCalls + 1: 413, 300_000: 413} {
		body := []byte(call(entry(strings.TrimSuffix(strings.Repeat("{},", count-1), ","), one)))
		if len(body) > 1<<20 {
			t.Fatalf("%d bytes", len(body))
		}
		for header, wrong := range map[string]bool{messenger.Sign(body, secret): false, messenger.Sign(body, "x"): true} {
			reading, refusal := open(t, settings(channel.SignatureEnforce, secret)).Read(arrived, signed(header), body)
			switch {
			case want != 0 && (refusal == nil || refusal.Status != want || refusal.Reason != channel.ReasonTooLarge):
				t.Errorf("%d items: %+v, want %d", count, refusal, want)
			case want == 0 && (reason(refusal) == channel.ReasonSignatureWrong) != wrong:
				t.Errorf("%d items: %+v", count, refusal)
			case want == 0 && !wrong && len(reading.Calls) != count:
				t.Errorf("%d items: %d events", count, len(reading.Calls))
			}
		}
	}
}

// A caller with nothing but the API key makes no work that is many times the size of its call.
func TestManyItemsOfALossyCall(t *testing.T) {
	c := open(t, settings(channel.SignatureOff))
	pad := strings.Repeat("x", 1<<20-100_000)
	fastest := func(object string) time.Duration {
		body := []byte(`{"object":"` + object + `","entry":[` + entry(strings.TrimSuffix(strings.Repeat("{},", channel.MaxCalls-1), ",")) +
			`],"pad":"` + pad + `"}`)
		best := time.Hour
		for range 3 {
			begin := time.Now()
			if reading, refusal := c.Read(arrived, nil, body); refusal != nil || len(reading.Calls) != channel.MaxCalls {
				t.Fatalf("%+v, %d events", refusal, len(reading.Calls))
			}
			best = min(best, time.Since(begin))
		}
		return best
	}
	if exact, lossy := fastest("page"), fastest(`\ud800`); lossy > 10*exact {
		t.Errorf("a call whose object is not held exactly takes %v, another %v", lossy, exact)
	}
}

func TestALargeCall(t *testing.T) {
	text := strings.Repeat("x", 1<<20-400)
	body := []byte(call(entry(item(`"message":{"mid":"m_1","text":"`+text+`"}`), item(`"read":{"watermark":1}`))))
	reading, refusal := open(t, settings(channel.SignatureEnforce, secret)).Read(arrived, signed(messenger.Sign(body, secret)), body)
	if refusal != nil || len(reading.Calls) != 2 || len(reading.Calls[0].Event.Body) < 1<<20-400 || len(reading.Calls[1].Event.Body) > 200 {
		t.Errorf("%+v, %d events", refusal, len(reading.Calls))
	}
}

func TestPages(t *testing.T) {
	s := settings(channel.SignatureOff)
	s.Pages = []messenger.Page{{ID: page}, {ID: "0"}}
	c := open(t, s)
	other := strings.ReplaceAll(entry(item(`"message":{"mid":"m_1"}`)), page, "104567891234568")
	mixed := call(entry(item(`"message":{"mid":"m_1"}`)), other, entry(item(`"read":{}`)))
	for body, want := range map[string][]channel.Kind{
		mixed:       {channel.KindEvent, channel.KindForeignAccount, channel.KindEvent},
		call(other): {channel.KindForeignAccount}, call(`{"id":true}`): {channel.KindForeignAccount}, call(`{"id":null}`): {channel.KindEvent},
		call(`{"id":0}`): {channel.KindEvent}, `{"object":"page"}`: {channel.KindEvent},
		call(`{"id":"` + strings.Repeat("1", 257) + `"}`): {channel.KindForeignAccount},
	} {
		reading, refusal := c.Read(arrived, nil, []byte(body))
		kinds := []channel.Kind{}
		for _, call := range reading.Calls {
			kinds = append(kinds, call.Kind)
			if call.Kind == channel.KindForeignAccount && (call.Event.Body != nil || call.Name == "") {
				t.Errorf("%s: %+v", body, call)
			}
		}
		if diff := cmp.Diff(want, kinds); refusal != nil || diff != "" {
			t.Errorf("%s: %v %s", body, refusal, diff)
		}
	}
}

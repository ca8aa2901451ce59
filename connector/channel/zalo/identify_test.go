package zalo

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
	"xbot.a4b.vn/channel-connector/connector/event"
)

var update = flag.Bool("update", false, "rewrite testdata/golden.json")

// identity is what consumers see of an event but for its body.
type identity struct {
	ID, Source, Type, Subject, Conversation, Time string
}

// identified reads a body without a signature.
func identified(tb testing.TB, body []byte, accounts ...string) channel.Call {
	tb.Helper()
	z := build(channel.SignatureOff, accounts)
	if strings.Contains(string(body), "2553928453557884079") { // xBot's example
		z.appID = "2553928453557884079"
	}
	call, err := z.Read(arrived, http.Header{}, body)
	if err != nil {
		tb.Fatal(err)
	}
	return call.Calls[0]
}

// Consumers keep ids and conversations, so a change here is a breaking one.
func TestGoldenIdentities(t *testing.T) {
	got := make(map[string]identity)
	for file, body := range samples(t) {
		call := identified(t, body)
		if call.Kind != channel.KindEvent {
			continue
		}
		e := call.Event
		if string(e.Body) != string(body) {
			t.Errorf("%s: the body is not kept byte for byte", file)
		}
		got[file] = identity{e.ID.String(), e.Source, e.Type, e.Subject, e.Conversation, e.Time.Format(time.RFC3339Nano)}
	}
	if *update {
		golden, err := json.MarshalIndent(got, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/golden.json", append(golden, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readJSON[map[string]identity]("testdata/golden.json"), got); diff != "" {
		t.Error(diff)
	}
	if len(got) != len(vectors.Vectors) { // without the console test, with xBot's example
		t.Errorf("%d events of %d samples", len(got), len(vectors.Vectors)+1)
	}
}

func TestEventsAreComplete(t *testing.T) {
	at := time.Date(2026, 7, 1, 6, 0, 0, 0, time.UTC)
	for body, want := range map[string]time.Time{
		`{"timestamp":"1782863507304"}`: time.UnixMilli(1782863507304).UTC(),
		`{"timestamp":"1782863507"}`:    at,
		`{"event_name":"follow"}`:       at,
	} {
		call, refusal := build(channel.SignatureOff, nil).Read(at, http.Header{"Content-Type": {"text/plain"}}, []byte(body))
		if refusal != nil {
			t.Fatal(refusal)
		}
		if e := call.Calls[0].Event; e.Channel != name || e.ContentType != "application/json" || !e.Time.Equal(want) {
			t.Errorf("%s: of channel %q, at %v, a body of %q", body, e.Channel, e.Time, e.ContentType)
		}
	}
}

// partyCases are bodies, the OAs on the list, and who talks in which conversation.
var partyCases = []struct {
	name, body                 string
	accounts                   []string
	source, user, conversation string
}{
	{
		"message to the OA", `{"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa"},"app_id":"6254742270069193212"}`,
		nil, "/oa", "u", "oa/oa/user/u",
	},
	{
		"anonymous message", `{"event_name":"anonymous_send_image","sender":{"id":"u"},"recipient":{"id":"oa"}}`,
		nil, "/oa", "u", "oa/oa/user/u",
	},
	{
		"new kind of message", `{"event_name":"user_send_hologram","sender":{"id":"u"},"recipient":{"id":"oa"}}`,
		nil, "/oa", "u", "oa/oa/user/u",
	},
	{"form", `{"event_name":"user_submit_info","sender":{"id":"u"},"recipient":{"id":"oa"}}`, nil, "/oa", "u", "oa/oa/user/u"},
	{
		"message from the OA", `{"event_name":"oa_send_text","sender":{"id":"oa","admin_id":"a"},"recipient":{"id":"u"}}`,
		nil, "/oa", "u", "oa/oa/user/u",
	},
	{
		"anonymous message from the OA",
		`{"event_name":"oa_send_anonymous_text","sender":{"id":"oa"},"recipient":{"id":"u"}}`, nil, "/oa", "u", "oa/oa/user/u",
	},
	{"receipt", `{"event_name":"user_received_message","sender":{"id":"oa"},"recipient":{"id":"u"}}`, nil, "/oa", "u", "oa/oa/user/u"},
	{
		"receipt the other way", `{"event_name":"user_received_message","sender":{"id":"u"},"recipient":{"id":"oa"}}`,
		[]string{"oa"}, "/oa", "u", "oa/oa/user/u",
	},
	{"seen", `{"event_name":"user_seen_message","sender":{"id":"u"},"recipient":{"id":"oa"}}`, nil, "/oa", "u", "oa/oa/user/u"},
	{
		"seen the other way", `{"event_name":"user_seen_message","sender":{"id":"oa"},"recipient":{"id":"u"}}`,
		[]string{"oa"}, "/oa", "u", "oa/oa/user/u",
	},
	{
		"reaction", `{"event_name":"user_reacted_message","sender":{"id":"u"},"recipient":{"id":"oa"}}`,
		[]string{"oa"}, "/oa", "u", "oa/oa/user/u",
	},
	{
		"reaction the other way", `{"event_name":"user_reacted_message","sender":{"id":"oa"},"recipient":{"id":"u"}}`,
		[]string{"oa"}, "/oa", "u", "oa/oa/user/u",
	},
	{"the OA's reaction", `{"event_name":"oa_reacted_message","sender":{"id":"oa"},"recipient":{"id":"u"}}`, nil, "/oa", "u", "oa/oa/user/u"},
	{
		"the OA's reaction the other way", `{"event_name":"oa_reacted_message","sender":{"id":"u"},"recipient":{"id":"oa"}}`,
		[]string{"oa"}, "/oa", "u", "oa/oa/user/u",
	},
	{"follower", `{"event_name":"follow","oa_id":"oa","follower":{"id":"u"}}`, nil, "/oa", "u", "oa/oa/user/u"},
	{"chat now", `{"event_name":"user_click_chatnow","oa_id":"oa","user_id":"u"}`, nil, "/oa", "u", "oa/oa/user/u"},
	{"OA only", `{"event_name":"permission_revoked","oa_id":"oa"}`, nil, "/oa", "", "oa/oa"},
	{"camel case", `{"event_name":"change_oa_daily_quota","oaId":"oa"}`, nil, "/oa", "", "oa/oa"},
	{"consent is no message", `{"event_name":"oa_send_consent","oa_id":"oa","phone":"84"}`, nil, "/oa", "", "oa/oa"},
	{
		"group message", `{"event_name":"user_send_group_text","oa_id":"oa","sender":{"id":"u"},"recipient":{"id":"g"}}`,
		nil, "/oa", "u", "group/g",
	},
	{
		"group message from the OA",
		`{"event_name":"oa_send_group_text","oa_id":"oa","sender":{"id":"oa"},"recipient":{"id":"g"}}`, nil, "/oa", "", "group/g",
	},
	{"group created", `{"event_name":"create_group","oa_id":"oa","group_id":"g"}`, nil, "/oa", "", "group/g"},
	{
		"group id in the recipient",
		`{"event_name":"user_send_group_text","oa_id":"oa","sender":{"id":"u"},"recipient":{"group_id":"g"}}`, nil, "/oa", "u", "group/g",
	},
	{
		"group id beside the OA", `{"event_name":"user_send_group_text","sender":{"id":"u"},"recipient":{"id":"oa","group_id":"g"}}`,
		[]string{"oa"}, "/oa", "u", "group/g",
	},
	{
		"group id beside an id of nobody we know",
		`{"event_name":"user_send_group_text","sender":{"id":"u"},"recipient":{"id":"x","group_id":"g"}}`, []string{"oa"}, "", "u", "group/g",
	},
	{
		"group id in the recipient of an unknown event",
		`{"event_name":"user_waved","oa_id":"oa","sender":{"id":"u"},"recipient":{"group_id":"g"}}`, nil, "/oa", "u", "group/g",
	},
	{
		"group id twice, the outer one counts",
		`{"event_name":"create_group","oa_id":"oa","group_id":"g","recipient":{"id":"h","group_id":"i"}}`, nil, "/oa", "", "group/g",
	},
	{
		"group id in the recipient, as a number",
		`{"event_name":"oa_send_group_text","oa_id":"oa","sender":{"id":"oa"},"recipient":{"group_id":9007199254740993}}`,
		nil, "/oa", "", "group/9007199254740993",
	},
	{"group left", `{"event_name":"user_out_group","oa_id":"oa","recipient":{"id":"g"},"sender":{"id":"u"}}`, nil, "/oa", "u", "group/g"},
	{"group of an unknown event", `{"event_name":"group_moved","oa_id":"oa","group_id":"g"}`, nil, "/oa", "", "group/g"},
	{"unknown, OA named", `{"event_name":"new","oa_id":"oa","sender":{"id":"oa"},"recipient":{"id":"u"}}`, nil, "/oa", "u", "oa/oa/user/u"},
	{"unknown, OA listed", `{"event_name":"new","sender":{"id":"oa"},"recipient":{"id":"u"}}`, []string{"oa"}, "/oa", "u", "oa/oa/user/u"},
	{"unknown, nothing known", `{"event_name":"new","sender":{"id":"u"},"recipient":{"id":"oa"}}`, nil, "/oa", "u", "oa/oa/user/u"},
	{"user only", `{"event_name":"new","user_id":"u"}`, nil, "", "u", "app/6254742270069193212"},
	{"nothing", `{"event_name":"extension_purchased"}`, nil, "", "", "app/6254742270069193212"},
	{"no OA, whatever the list", `{"event_name":"extension_purchased"}`, []string{"oa"}, "", "", "app/6254742270069193212"},
	{
		"ids too long", `{"event_name":"user_send_text","sender":{"id":"` + strings.Repeat("u", 257) + `"},"recipient":{"id":"oa"}}`,
		nil, "/oa", "", "oa/oa",
	},
}

func TestParties(t *testing.T) {
	for _, tc := range partyCases {
		t.Run(tc.name, func(t *testing.T) {
			call := identified(t, []byte(tc.body), tc.accounts...)
			if call.Kind != channel.KindEvent {
				t.Fatalf("kind %v", call.Kind)
			}
			got := [3]string{call.Event.Source, call.Event.Subject, call.Event.Conversation}
			if diff := cmp.Diff([3]string{"/zalo/6254742270069193212" + tc.source, tc.user, tc.conversation}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForeignAccounts(t *testing.T) {
	for file, body := range samples(t) {
		if file == "console_test-1.json" {
			continue
		}
		if call := identified(t, body, "3662729599332560487", vectors.OAs[0], vectors.OAs[1]); call.Kind != channel.KindEvent {
			t.Errorf("%s: on the list, kind %v", file, call.Kind)
		}
		want := channel.Call{Kind: channel.KindForeignAccount}
		got := identified(t, body, "1", "")
		want.Name, want.KnownName = got.Name, got.KnownName
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: not on the list: %s", file, diff)
		}
	}
}

// An id that cannot be told is on no list; where none is given, no list applies.
func TestUnusableIDsAndTheAllowList(t *testing.T) {
	long := `"` + strings.Repeat("o", scan.MaxIDLength+1) + `"`
	for _, tc := range []struct {
		body string
		want channel.Kind
	}{
		{`{"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa"}}`, channel.KindEvent},
		{`{"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":` + long + `}}`, channel.KindForeignAccount},
		{`{"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":["oa"]}}`, channel.KindForeignAccount},
		{`{"event_name":"user_send_text","sender":{"id":"u"},"recipient":"oa"}`, channel.KindForeignAccount},
		{`{"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"\ud800"}}`, channel.KindForeignAccount},
		{`{"event_name":"user_send_text","sender":{"id":` + long + `},"recipient":{"id":"oa"}}`, channel.KindEvent},
		{`{"event_name":"oa_send_text","sender":{"id":true},"recipient":{"id":"u"}}`, channel.KindForeignAccount},
		{`{"event_name":"follow","oa_id":{"id":"oa"},"follower":{"id":"u"}}`, channel.KindForeignAccount},
		{`{"event_name":"change_oa_daily_quota","oaId":` + long + `}`, channel.KindForeignAccount},
		{`{"event_name":"user_send_group_text","oa_id":` + long + `,"sender":{"id":"u"},"recipient":{"id":"g"}}`, channel.KindForeignAccount},
		{`{"event_name":"follow","oa_id":"oa","follower":{"id":[]}}`, channel.KindEvent},
		{`{"event_name":"new","user_id":{}}`, channel.KindEvent},
		{`{"event_name":"new","oa_id":null,"sender":{"id":null},"recipient":null}`, channel.KindEvent},
		{`{"event_name":"new","oa_id":""}`, channel.KindEvent},
	} {
		if got := identified(t, []byte(tc.body), "oa").Kind; got != tc.want {
			t.Errorf("%.120s: kind %v, want %v", tc.body, got, tc.want)
		}
		if got := identified(t, []byte(tc.body)).Kind; got != channel.KindEvent {
			t.Errorf("%.120s without a list: kind %v", tc.body, got)
		}
	}
}

func idOf(tb testing.TB, body string) event.ID {
	tb.Helper()
	return identified(tb, []byte(body)).Event.ID
}

// A retry is the same event even if a relay rewrote the body of a message; two events that may be different are.
func TestEventID(t *testing.T) {
	const base = `{"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa"},"message":{"msg_id":"m"}}`
	same := map[string]string{
		"identical": base,
		"other timestamp": `{"timestamp":"1","event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa"},` +
			`"message":{"msg_id":"m"}}`,
		"escaped": `{"event_name":"user\u005fsend_text","sender":{"id":"\u0075"},"recipient":{"id":"oa"},"message":{"msg_id":"m"}}`,
		"app given or not": `{"app_id":"6254742270069193212","event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa"},` +
			`"message":{"msg_id":"m"}}`,
	}
	for name, body := range same {
		if idOf(t, body) != idOf(t, base) {
			t.Errorf("%s: another id", name)
		}
	}
	different := []string{base}
	for _, change := range [][2]string{
		{`"m"`, `"n"`},
		{`"id":"u"`, `"id":"v"`},
		{`"id":"oa"`, `"id":"ob"`},
		{"user_send_text", "user_send_link"},
		{"user_send_text", "user_reacted_message"},
		{`"m"`, `""`},
		{`"m"`, `null`},
		{`"m"`, `"\ud800"`},
		{`"m"`, `"\ud801"`},
		{`"m"`, `"` + strings.Repeat("m", 300) + `"`},
		{`"m"`, `"` + strings.Repeat("m", 301) + `"`},
		{`{"msg_id":"m"}`, `"m"`},
		{`{"msg_id":"m"}`, `"n"`},
	} {
		different = append(different, strings.Replace(base, change[0], change[1], 1))
	}
	// Nor does an id that cannot be told, of whichever side, make two events one.
	long := strings.Repeat("u", scan.MaxIDLength)
	for _, side := range []string{`{"id":"u"}`, `{"id":"oa"}`} {
		for _, unusable := range []string{
			`{"id":"` + long + `a"}`, `{"id":"` + long + `b"}`, `{"id":true}`, `{"id":false}`, `{"id":{"id":"a"}}`,
			`{"id":{"id":"b"}}`, `{"id":["a"]}`, `{"id":["b"]}`, `"a"`, `"b"`, `7`, `["a"]`, `["b"]`, `true`,
		} {
			different = append(different, strings.Replace(base, side, unusable, 1))
		}
	}
	for _, member := range []string{"oa_id", "oaId", "group_id", "user_id"} {
		for _, unusable := range []string{`{"a":1}`, `{"a":2}`, `"` + long + `a"`, `"` + long + `b"`} {
			different = append(different, `{"`+member+`":`+unusable+","+base[1:])
		}
	}
	seen := make(map[event.ID]string)
	for _, body := range different {
		id := idOf(t, body)
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have the same id", body, other)
		}
		seen[id] = body
	}
}

func TestReactionsToOneMessageDiffer(t *testing.T) {
	body := string(sample(t, "user_reacted_message-1.json"))
	first, retry, second := idOf(t, body), idOf(t, body), idOf(t, string(sample(t, "user_reacted_message-2.json")))
	if first == second {
		t.Error("two reactions have the same id")
	}
	if first != retry {
		t.Error("a retry of a reaction has another id")
	}
}

func TestNames(t *testing.T) {
	for _, tc := range []struct{ value, name, known, eventType string }{
		{`"user_send_text"`, "user_send_text", "user_send_text", "vn.zalo.oa.user_send_text"},
		{`"react_request_join_group"`, "react_request_join_group", "react_request_join_group", "vn.zalo.oa.react_request_join_group"},
		{`"oa_send_group_business_card"`, "oa_send_group_business_card", "oa_send_group_business_card", "vn.zalo.oa.oa_send_group_business_card"},
		{`"brand_new"`, "brand_new", "other", "vn.zalo.oa.brand_new"},
		{`"sự kiện"`, "sự kiện", "other", "vn.zalo.oa.sự kiện"},
		{`7`, "7", "other", "vn.zalo.oa.7"},
		{`""`, "", "other", "vn.zalo.oa.unknown"},
		{`null`, "", "other", "vn.zalo.oa.unknown"},
		{`{}`, "", "other", "vn.zalo.oa.unknown"},
		{`"` + strings.Repeat("e", 257) + `"`, "", "other", "vn.zalo.oa.unknown"},
	} {
		call := identified(t, []byte(`{"event_name":`+tc.value+`}`))
		if diff := cmp.Diff([]string{tc.name, tc.known, tc.eventType}, []string{call.Name, call.KnownName, call.Event.Type}); diff != "" {
			t.Errorf("%s: %s", tc.value, diff)
		}
	}
	if len(knownTypes) != 89 {
		t.Errorf("%d known names", len(knownTypes))
	}
	for name, eventType := range knownTypes {
		if strings.ContainsAny(name, "{},") || eventType != typePrefix+name {
			t.Errorf("%q is %q", name, eventType)
		}
	}
}

func TestEventTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"1782863507304":  time.Date(2026, 6, 30, 23, 51, 47, 304e6, time.UTC),
		"178286350730":   time.UnixMilli(178286350730),
		"17828635073":    time.UnixMilli(17828635073),
		"1782863507":     {},
		"17828635073041": {},
		"":               {},
		"178286350730x":  {},
		"-178286350730":  {},
		"+178286350730":  {},
		"1782863507.04":  {},
		"1.78286e+1234":  {},
	} {
		if got := eventTime([]byte(text)); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

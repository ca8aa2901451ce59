package messenger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/messenger"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// The side that is not the page is the user.
func TestSides(t *testing.T) {
	for _, tt := range []struct{ page, from, to, kind, user string }{
		{"p", "u", "p", `"message":{}`, "u"}, {"p", "p", "u", `"message":{}`, "u"}, {"p", "p", "u", `"read":{}`, "u"},
		{"p", "x", "u", `"message":{"is_echo":true}`, "u"}, {"p", "u", "x", `"message":{}`, "u"}, {"", "u", "p", `"message":{}`, "u"},
		{"", "p", "u", `"message":{"is_echo":true}`, "u"}, {"p", "", "p", `"optin":{}`, ""}, {"p", "", "", `"optin":{}`, ""},
	} {
		body := fmt.Sprintf(`{"object":"page","entry":[{"id":%q,"messaging":[{"sender":{"id":%q},"recipient":{"id":%q},%s}]}]}`,
			tt.page, tt.from, tt.to, tt.kind)
		want := "page"
		if tt.page != "" {
			want += "/p"
		}
		if tt.page != "" && tt.user != "" {
			want += "/user/" + tt.user
		}
		if got := read(t, body)[0].Event; got.Subject != tt.user || got.Conversation != want {
			t.Errorf("%+v: user %q, conversation %q, want %q", tt, got.Subject, got.Conversation, want)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		item, entry string
		want, sent  time.Time
	}{
		{`1782863507304`, `1782863507999`, time.UnixMilli(1782863507304).UTC(), time.UnixMilli(1782863507999).UTC()},
		{`1527459824`, `1782863507999`, time.Unix(1527459824, 0).UTC(), time.UnixMilli(1782863507999).UTC()},
		{`"1782863507304"`, `1`, time.UnixMilli(1782863507304).UTC(), time.UnixMilli(1782863507304).UTC()},
		{`null`, `1782863507`, time.Unix(1782863507, 0).UTC(), time.Unix(1782863507, 0).UTC()},
		{`178286350730`, `1782863507999`, arrived, time.UnixMilli(1782863507999).UTC()},
		{`178286350730`, `1`, arrived, time.Time{}},
		{`null`, `null`, arrived, time.Time{}}, {`null`, `"soon"`, arrived, time.Time{}},
	} {
		body := `{"entry":[{"id":"1","time":` + tt.entry + `,"messaging":[{"timestamp":` + tt.item + `,"read":{}}]}]}`
		got := read(t, body)[0]
		if !got.Event.Time.Equal(tt.want) || !got.SentAt.Equal(tt.sent) {
			t.Errorf("%s: time %v, sent at %v", body, got.Event.Time, got.SentAt)
		}
	}
}

// holds counts the events of a call with encoding/json.
func holds(t *testing.T, body []byte) (count int) {
	t.Helper()
	var envelope map[string]json.RawMessage
	if err := json.Unmarshal(body, &envelope); err != nil {
		t.Fatal(err)
	}
	more := func(object map[string]json.RawMessage, known ...string) bool {
		for name := range object {
			if !slices.Contains(known, name) {
				return true
			}
		}
		return false
	}
	var entries []map[string]json.RawMessage
	_ = json.Unmarshal(envelope["entry"], &entries) // another value has none
	for _, one := range entries {
		items, whole := 0, more(one, "id", "time", "uid", "messaging", "standby", "changes")
		for _, list := range []string{"messaging", "standby", "changes"} {
			var elements []json.RawMessage
			whole = json.Unmarshal(one[list], &elements) != nil && one[list] != nil || whole
			items += len(elements)
		}
		if count += items; items == 0 || whole {
			count++
		}
	}
	if count == 0 || more(envelope, "object", "entry") {
		count++
	}
	return count
}

func FuzzRead(f *testing.F) {
	for _, body := range samples(f) {
		f.Add(body)
	}
	for _, body := range []string{
		`{"a":1,"entry":[{"b":[],"messaging":[{}]},{"messaging":{},"standby":[{}]}]}`,
		`{"entry":[{"messaging":[{},null]}]}`, `{"entry":[{"changes":[{"field":"\ud800"}]}]}`, call(`{"standby":[{"message":{}}]}`),
	} {
		f.Add([]byte(body))
	}
	c := open(f, settings(channel.SignatureAudit, secret))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		reading, refusal := c.Read(arrived, signed(messenger.Sign(body, secret)), body)
		switch {
		case !bytes.Equal(before, body):
			t.Fatal("the body was changed")
		case refusal != nil && len(reading.Calls) > 0, refusal == nil && !channel.IsProbe(body) && len(reading.Calls) == 0:
			t.Fatalf("%+v with %d events", refusal, len(reading.Calls))
		case refusal == nil && !channel.IsProbe(body) && len(reading.Calls) != holds(t, body):
			t.Fatalf("%d events of %d", len(reading.Calls), holds(t, body))
		}
		for _, call := range reading.Calls {
			e := call.Event
			if call.Name == "" || e.ID == (event.ID{}) || !json.Valid(e.Body) || !bytes.Contains(body, e.Body) || e.Conversation == "" ||
				e.Time.IsZero() {
				t.Fatalf("%+v", call)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	body := sample(b, "page-message.json")
	c := open(b, settings(channel.SignatureEnforce, secret))
	header := signed(messenger.Sign(body, secret))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(arrived, header, body); err != nil {
			b.Fatal(err)
		}
	}
}

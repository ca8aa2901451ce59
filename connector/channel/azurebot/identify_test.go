package azurebot

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// bot is a channel that looks at no token.
func bot(of UserID) *Channel {
	return (&Settings{AppID: appID, UserID: of, Token: Token{Mode: channel.SignatureOff}}).Open(name, channel.Environment{}).(*Channel)
}

func read(tb testing.TB, b *Channel, body []byte) channel.Call {
	tb.Helper()
	reading, refusal := b.Read(arrived, http.Header{}, body)
	if refusal != nil || len(reading.Calls) != 1 {
		tb.Fatalf("%s: %v, %v", body, reading, refusal)
	}
	return reading.Calls[0]
}

func TestTheSampleIsIdentified(t *testing.T) {
	got := read(t, bot(UserClear), sample(t))
	sent := time.Date(2026, 3, 18, 9, 31, 36, 578895100, time.UTC)
	want := channel.Call{Name: "message", KnownName: "message", SentAt: sent, Event: event.Event{
		ID: got.Event.ID, Channel: name, Source: "/azurebot/" + appID + "/webchat", Type: "com.microsoft.bot.message",
		Subject: "user-000000000001", Conversation: "Ab12Cd34Ef56Gh78-as", Time: sent, ContentType: "application/json", Body: sample(t),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// change returns the sample with other members; nil leaves one out.
func change(tb testing.TB, members map[string]any) []byte {
	tb.Helper()
	activity := map[string]any{}
	if err := json.Unmarshal(sample(tb), &activity); err != nil {
		tb.Fatal(err)
	}
	maps.Copy(activity, members)
	maps.DeleteFunc(activity, func(_ string, value any) bool { return value == nil })
	body, err := json.Marshal(activity)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func party(id any) map[string]any { return map[string]any{"id": id} }

func TestTypes(t *testing.T) {
	for kind, want := range map[any][3]string{
		"typing":                 {"typing", "typing", "com.microsoft.bot.typing"},
		"invoke":                 {"invoke", "invoke", "com.microsoft.bot.invoke"},
		"somethingNew":           {"somethingNew", "other", "com.microsoft.bot.somethingNew"},
		"Message":                {"Message", "other", "com.microsoft.bot.Message"},
		nil:                      {"", "other", "com.microsoft.bot.unknown"},
		"":                       {"", "other", "com.microsoft.bot.unknown"},
		true:                     {"", "other", "com.microsoft.bot.unknown"},
		strings.Repeat("a", 257): {"", "other", "com.microsoft.bot.unknown"},
	} {
		call := read(t, bot(UserHashed), change(t, map[string]any{"type": kind}))
		if got := [3]string{call.Name, call.KnownName, call.Event.Type}; got != want {
			t.Errorf("%v: %q, want %q", kind, got, want)
		}
	}
}

func TestConversations(t *testing.T) {
	clearly, hashed := bot(UserClear), bot(UserHashed)
	for _, tt := range []struct {
		members map[string]any
		want    string
	}{
		{map[string]any{}, "Ab12Cd34Ef56Gh78-as"},
		{map[string]any{"conversation": nil}, "channel/webchat/user/user-000000000001"},
		{map[string]any{"conversation": party("")}, "channel/webchat/user/user-000000000001"},
		{map[string]any{"conversation": party(strings.Repeat("c", 257))}, "channel/webchat/user/user-000000000001"},
		{map[string]any{"conversation": nil, "channelId": nil}, "channel/user/user-000000000001"},
		{map[string]any{"conversation": nil, "from": nil}, "bot/" + appID},
		{map[string]any{"conversation": "text", "from": nil}, "bot/" + appID},
	} {
		if got := read(t, clearly, change(t, tt.members)).Event.Conversation; got != tt.want {
			t.Errorf("%v: %q, want %q", tt.members, got, tt.want)
		}
	}
	if got := read(t, hashed, sample(t)).Event.Conversation; got != "Ab12Cd34Ef56Gh78-as" {
		t.Errorf("a conversation that tells nothing of the user: %q", got)
	}
	digits := []byte(`{"type":"message","conversation":{"id":9007199254740993123}}`)
	if got := read(t, hashed, digits).Event.Conversation; got != "9007199254740993123" {
		t.Errorf("digits beyond a float: %q", got)
	}
}

// TestAWebChatIsOneConversation: Direct Line begins a conversation with an update that names the conversation as its
// sender, since the user is not known yet. The user's messages have to stay behind it.
func TestAWebChatIsOneConversation(t *testing.T) {
	const id = "Ab12Cd34Ef56Gh78-as"
	for _, channelID := range []string{"webchat", "directline"} {
		begin := change(t, map[string]any{"type": "conversationUpdate", "channelId": channelID, "from": party(id)})
		first, next := read(t, bot(UserHashed), begin), read(t, bot(UserHashed), change(t, map[string]any{"channelId": channelID}))
		if first.Event.Conversation != id || next.Event.Conversation != id || first.Event.Subject != "" {
			t.Errorf("%s: %q of %q, then %q", channelID, first.Event.Conversation, first.Event.Subject, next.Event.Conversation)
		}
	}
}

// TestTheUserStaysHidden: under Hashed no attribute holds the user's id, whatever the conversation is, and the same user
// has the same pseudonym.
func TestTheUserStaysHidden(t *testing.T) {
	const user = "3#anna@example.test"
	b, subjects := bot(UserHashed), map[string]bool{}
	for _, members := range []map[string]any{
		{}, {"conversation": nil}, {"conversation": party(user)}, {"conversation": party("dm|" + user + "|bot")},
		{"conversation": party(user), "from": party("demo_bot@handle"), "recipient": party(user)}, {"type": "typing", "id": nil},
	} {
		if members["from"] == nil {
			members["from"] = party(user)
		}
		e := read(t, b, change(t, members)).Event
		for _, attribute := range []string{e.Source, e.Type, e.Subject, e.Conversation} {
			if strings.Contains(attribute, "anna") {
				t.Errorf("%v: %q tells of the user", members, attribute)
			}
		}
		if members["recipient"] == nil {
			subjects[e.Subject] = true
		}
	}
	if len(subjects) != 1 || subjects[""] {
		t.Errorf("pseudonyms of one user: %v", subjects)
	}
	to := read(t, b, change(t, map[string]any{"conversation": party(user), "from": party(user), "recipient": party("bot")}))
	fro := read(t, b, change(t, map[string]any{"conversation": party(user), "from": party("bot"), "recipient": party(user)}))
	if to.Event.Conversation != fro.Event.Conversation {
		t.Error("the two sides are in two conversations")
	}
	if other := read(t, b, change(t, map[string]any{"from": party("4#anna@example.test")})).Event.Subject; subjects[other] {
		t.Error("two users have one pseudonym")
	}
	unread := &Settings{UserID: UserHashed, Token: Token{Mode: channel.SignatureOff}}
	other := unread.Open("chat/other", channel.Environment{}).(*Channel)
	if subjects[read(t, other, change(t, map[string]any{"from": party(user)})).Event.Subject] {
		t.Error("another channel has the same pseudonym")
	}
	if empty := read(t, b, change(t, map[string]any{"from": nil})).Event.Subject; empty != "" {
		t.Errorf("nobody is %q", empty)
	}
}

func TestTimes(t *testing.T) {
	for text, usual := range map[any]bool{
		"2026-03-18T09:31:36.5788951Z": true, "2026-03-18T16:31:36+07:00": true, "2026-03-18T09:31:36Z": true,
		"2026-03-18T09:31:36": false, "0001-01-01T00:00:00Z": false, "1773826296000": false, "": false, nil: false, "yesterday": false,
	} {
		call := read(t, bot(UserHashed), change(t, map[string]any{"timestamp": text}))
		if call.SentAt.IsZero() == usual || call.Event.Time.IsZero() || !usual && !call.Event.Time.Equal(arrived) ||
			usual && !call.Event.Time.Truncate(time.Second).Equal(time.Date(2026, 3, 18, 9, 31, 36, 0, time.UTC)) {
			t.Errorf("%v: sent at %s, time %s", text, call.SentAt, call.Event.Time)
		}
	}
}

// TestEventIDs: a retry has the id of its event, and nothing else has.
func TestEventIDs(t *testing.T) {
	b := bot(UserHashed)
	id := func(members map[string]any) event.ID { return read(t, b, change(t, members)).Event.ID }
	if id(nil) != id(map[string]any{"text": "edited by a proxy", "localTimezone": nil}) {
		t.Error("a message with the same id is another event")
	}
	edit := map[string]any{"type": "messageUpdate", "text": "one"}
	if again := maps.Clone(edit); id(edit) != id(again) {
		t.Error("a retry is another event")
	}
	seen := map[event.ID]map[string]any{id(nil): {}}
	for _, members := range []map[string]any{
		{"id": "other"}, {"channelId": "directline"}, {"conversation": party("other")}, {"from": party("other")}, edit,
		{"type": "messageUpdate", "text": "two"}, {"type": "messageDelete"}, {"type": "messageReaction", "reactionsAdded": "like"},
		{"type": "messageReaction", "reactionsAdded": "heart"}, {"type": "new"},
		{"type": "new", "text": "two"}, {"id": nil}, {"id": nil, "text": "two"},
		{"id": ""}, {"id": strings.Repeat("i", 257)}, {"id": strings.Repeat("i", 258)}, {"id": party("x")}, {"type": nil}, {"channelId": 1},
		{"type": "event"}, {"type": "event", "name": "two"},
	} {
		if other, again := seen[id(members)]; again {
			t.Errorf("%v has the id of %v", members, other)
		}
		seen[id(members)] = members
	}
	halves := func(id string) event.ID {
		return read(t, b, []byte(`{"type":"message","conversation":{"id":"c"},"id":"`+id+`"}`)).Event.ID
	}
	if halves(`\ud83d`) == halves(`\ud83e`) {
		t.Error("two ids that no text holds are one")
	}
	digits := func(id string) event.ID { return read(t, b, []byte(`{"type":"message","id":`+id+`}`)).Event.ID }
	if digits("9007199254740993") == digits("9007199254740992") {
		t.Error("digits beyond a float are lost")
	}
	other := (&Settings{AppID: otherTenant, Token: Token{Mode: channel.SignatureOff}}).Open(name, channel.Environment{}).(*Channel)
	if read(t, other, sample(t)).Event.ID == id(nil) {
		t.Error("another bot has the same id")
	}
}

// TestLargeBodies: the body is kept byte for byte.
func TestLargeBodies(t *testing.T) {
	body := change(t, map[string]any{"text": strings.Repeat("ạ", 1<<18), "deliveryMode": "expectReplies"})
	if call := read(t, bot(UserHashed), body); !bytes.Equal(call.Event.Body, body) || call.Name != "message" {
		t.Error("the body has changed")
	}
}

func TestTheSampleOfSend(t *testing.T) {
	values := map[string]string{}
	for _, field := range Type.Sample.Fields {
		values[field.Name] = field.Default
	}
	one, err := Type.Sample.Body(values, arrived)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Type.Sample.Body(values, arrived)
	if err != nil {
		t.Fatal(err)
	}
	b := bot(UserClear)
	call, other := read(t, b, one), read(t, b, two)
	if call.Event.ID == other.Event.ID || call.Name != message || call.Event.Subject != "sample-user" ||
		call.Event.Conversation != "sample-conversation" || !call.SentAt.Equal(arrived) {
		t.Errorf("%+v", call)
	}
	header := http.Header{}
	if err := Type.Sample.Sign(header, one, "a.b.c"); err != nil || !slices.Equal(header["Authorization"], []string{"Bearer a.b.c"}) {
		t.Errorf("%v, %v", header, err)
	}
	if err := Type.Sample.Sign(header, one, "hidden"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a secret that is no token: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte(`{"from":{"id":"anna@example.test"},"conversation":{"id":"anna@example.test"}}`))
	f.Add([]byte(`{"type":1,"id":null,"conversation":[]}`))
	b := bot(UserHashed)
	f.Fuzz(func(t *testing.T, body []byte) {
		reading, refusal := b.Read(arrived, http.Header{}, body)
		again, _ := b.Read(arrived, http.Header{}, body)
		if diff := cmp.Diff(reading, again); diff != "" {
			t.Errorf("a retry differs:\n%s", diff)
		}
		for _, call := range reading.Calls {
			e := call.Event
			if refusal != nil || !json.Valid(body) || e.ID == (event.ID{}) || e.Conversation == "" || e.Time.IsZero() ||
				!bytes.Equal(e.Body, body) || len(e.Conversation) > 600 || len(e.Type) > 300 {
				t.Errorf("%q: %+v, %v", body, call, refusal)
			}
		}
	})
}

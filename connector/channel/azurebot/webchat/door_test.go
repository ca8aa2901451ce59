package webchat_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/webchat"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	directLineSecret = "hidden.direct.line-secret_0001"
	partnerKey       = "hidden-partner-key-of-the-shop-0001"
	newPartnerKey    = "hidden-partner-key-of-the-shop-0002"
	visitor          = "hidden-visitor-84988883434"
	visitorName      = "Hidden Nguyễn Văn A"
)

// opened is the answer to a call.
type opened struct {
	status int
	reason channel.Reason
	said   struct {
		Status, Message       string
		ConversationID, Token string
		UserID                *string
		ExpiresIn             int
	}
}

// door is that of a channel, as the webhook sees it.
type door struct {
	channel.Endpoint

	t   testing.TB
	key string
}

// open opens the door to a Direct Line, as changed. Its connections end with the test.
func open(t testing.TB, url string, change ...func(*webchat.Settings)) *door {
	t.Helper()
	workers := channel.NewWorkers(context.Background())
	t.Cleanup(workers.Close)
	version := workers.Version()
	opened := openIn(t, version, url, change...)
	version.Use()
	return opened
}

// openIn opens the door of a channel of a version.
func openIn(t testing.TB, version *channel.Version, url string, change ...func(*webchat.Settings)) *door {
	s := &webchat.Settings{
		DirectLineSecret: config.NewSecret(directLineSecret), URL: url,
		PartnerKeys: []webchat.PartnerKey{{Name: "old", Secret: config.NewSecret(partnerKey)}},
	}
	for _, f := range change {
		f(s)
	}
	return &door{s.Endpoint(channel.Environment{Version: version}), t, partnerKey}
}

// call posts a body with a key. No answer but a token tells anything of a secret or of the user.
func (d *door) call(body string) opened { return d.callWithin(d.t.Context(), body) }

func (d *door) callWithin(ctx context.Context, body string) (got opened) {
	d.t.Helper()
	answer, reason := d.Serve(ctx, http.Header{"X-Api-Key": {d.key}, "Content-Type": {"text/plain"}}, []byte(body))
	got.status, got.reason = answer.Status, reason
	if err := json.Unmarshal(answer.Body, &got.said); err != nil || answer.ContentType != "application/json" {
		d.t.Fatalf("%s %q: %v", answer.ContentType, answer.Body, err)
	}
	told := strings.ToLower(string(answer.Body))
	if got.status != http.StatusOK && (strings.Contains(told, "hidden") || strings.Contains(told, "127.0.0.1") || got.said.Status != "1") {
		d.t.Errorf("the answer tells too much, or is not in xBot's shape: %s", answer.Body)
	}
	return got
}

// must is call that is answered with a token.
func (d *door) must(body string) opened {
	d.t.Helper()
	got := d.call(body)
	if got.status != http.StatusOK || got.said.UserID == nil || got.said.Token == "" {
		d.t.Fatalf("%s: %+v", body, got)
	}
	return got
}

// xBot's own example, with all that it documents.
const example = `{"userInfo":{"id":"` + visitor + `","name":"` + visitorName + `","email":"hidden@example.com","phone":"84988883434",` +
	`"address":"z06, Tân Thuận Đông","avatarUrl":"https://cdn.example/a.png","extData":{"a":[{}]}}}`

func TestNewToken(t *testing.T) {
	azure := newAzure(t)
	origins := []string{"https://shop.example", "http://localhost:3000"}
	got := open(t, azure.URL, func(s *webchat.Settings) { s.TrustedOrigins = origins }).must(example)
	made := azure.made(got.said.Token)
	if made == nil {
		t.Fatal("Direct Line made no such token")
	}
	want := token{user: *got.said.UserID, name: visitorName, conversation: got.said.ConversationID, origins: origins}
	if diff := cmp.Diff(want, *made, cmp.AllowUnexported(token{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.said.ExpiresIn != 3600 || got.reason != "web_chat_opened" {
		t.Errorf("expires in %d, %s", got.said.ExpiresIn, got.reason)
	}
	if strings.Contains(made.user, visitor) {
		t.Errorf("the id can be guessed: %s", made.user)
	}
}

// TestUsers: a known user always gets the same id, and nobody else does. A user without an id is a new one each time.
func TestUsers(t *testing.T) {
	azure := newAzure(t)
	azure.secrets["hidden-second-key"] = true
	at := func(change ...func(*webchat.Settings)) *door { return open(t, azure.URL, change...) }
	replaced := func(s *webchat.Settings) { s.DirectLineSecret = config.NewSecret("hidden-second-key") }
	kept := func(s *webchat.Settings) { old := config.NewSecret(directLineSecret); s.UserIDSecret = &old }
	known := *at().must(`{"userInfo":{"id":"7"}}`).said.UserID
	for name, tt := range map[string]struct {
		door *door
		body string
		want string
	}{
		"again":                     {at(), `{"userInfo":{"id":"7"}}`, "known"},
		"as a number":               {at(), `{"userInfo":{"id":7}}`, "known"},
		"as userId":                 {at(), `{"userInfo":{"userId":"7"}}`, "known"},
		"as both":                   {at(), `{"userInfo":{"userId":"7","id":7}}`, "known"},
		"with another name":         {at(), `{"userInfo":{"id":"7","name":"B"}}`, "known"},
		"escaped":                   {at(), `{"userInfo":{"id":"\u0037"}}`, "known"},
		"elsewhere in the body":     {at(), `{"id":"7","userInfo":{"extData":{"id":"7"}}}`, "new"},
		"another":                   {at(), `{"userInfo":{"id":"70"}}`, "other"},
		"with a space":              {at(), `{"userInfo":{"id":"7 "}}`, "other"},
		"the id that it was given":  {at(), `{"userInfo":{"id":"` + known + `"}}`, "other"},
		"the secret replaced":       {at(replaced), `{"userInfo":{"id":"7"}}`, "other"},
		"replaced, the ids kept":    {at(replaced, kept), `{"userInfo":{"id":"7"}}`, "known"},
		"nobody":                    {at(), `{}`, "new"},
		"an empty id":               {at(), `{"userInfo":{"id":""}}`, "new"},
		"no id and no other member": {at(), `{"userInfo":{}}`, "new"},
		"nothing but null":          {at(), `{"token":null,"userInfo":null}`, "new"},
		"an id of null":             {at(), `{"token":"","userInfo":{"id":null,"userId":null,"name":null}}`, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := *tt.door.must(tt.body).said.UserID, *tt.door.must(tt.body).said.UserID
			got := "other"
			switch {
			case first == known && second == known:
				got = "known"
			case first != second:
				got = "new"
			}
			if got != tt.want || !strings.HasPrefix(first, "dl_") || len(first) < 20 || len(first) > 64 {
				t.Errorf("%s user: %s, then %s; the known one is %s", got, first, second, known)
			}
		})
	}
	big, next := at().must(`{"userInfo":{"id":9007199254740993}}`), at().must(`{"userInfo":{"id":9007199254740992}}`)
	if *big.said.UserID == *next.said.UserID {
		t.Error("ids beyond 2^53 are one user")
	}
}

func TestRefresh(t *testing.T) {
	azure := newAzure(t)
	door := open(t, azure.URL)
	first := door.must(example)
	// A token needs no secret, so that open chats go on while it is missing.
	secretless := open(t, azure.URL, func(s *webchat.Settings) { s.DirectLineSecret = config.Secret{Missing: true} })
	second := secretless.must(`{"token":"` + first.said.Token + `","userInfo":{"id":"another"}}`)
	if second.said.Token == first.said.Token || second.said.ConversationID != first.said.ConversationID ||
		*second.said.UserID != *first.said.UserID || second.said.ExpiresIn != 3600 || second.reason != "web_chat_refreshed" {
		t.Errorf("%+v, first %+v", second, first)
	}
	azure.made(second.said.Token).expired = true
	for name, body := range map[string]string{
		"an expired token": `{"token":"` + second.said.Token + `"}`, "another's token": `{"token":"hidden"}`, "a number": `{"token":12}`,
		"the secret": `{"token":"` + directLineSecret + `"}`,
	} {
		if got := door.call(body); got.status != http.StatusUnauthorized || got.reason != "web_chat_token" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := secretless.call(example); got.status != http.StatusServiceUnavailable || got.reason != channel.ReasonAwaitingSecret {
		t.Errorf("a new token without the secret: %+v", got)
	}
	// A token may keep its user to itself.
	azure.misbehave(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"conversationId":"c","token":"opaque.!.token","expires_in":1800.0}`))
	})
	if got := door.call(`{"token":"t"}`); got.status != http.StatusOK || got.said.UserID != nil || got.said.ExpiresIn != 1800 {
		t.Errorf("an opaque token: %+v", got)
	}
}

func TestPartnerKeys(t *testing.T) {
	azure := newAzure(t)
	both := open(t, azure.URL, func(s *webchat.Settings) {
		s.PartnerKeys = append(s.PartnerKeys, webchat.PartnerKey{Secret: config.Secret{Missing: true}},
			webchat.PartnerKey{Secret: config.NewSecret(newPartnerKey)})
	})
	removed := open(t, azure.URL, func(s *webchat.Settings) { s.PartnerKeys[0].Secret = config.NewSecret(newPartnerKey) })
	none := open(t, azure.URL, func(s *webchat.Settings) { s.PartnerKeys[0].Secret = config.Secret{Missing: true} })
	for name, tt := range map[string]struct {
		door   *door
		given  []string
		status int
		reason channel.Reason
	}{
		"the first":              {both, []string{partnerKey}, 200, "web_chat_opened"},
		"the last":               {both, []string{newPartnerKey}, 200, "web_chat_opened"},
		"none":                   {both, nil, 401, "partner_key"},
		"an empty one":           {both, []string{""}, 401, "partner_key"},
		"another":                {both, []string{partnerKey + "x"}, 401, "partner_key"},
		"the Direct Line secret": {both, []string{directLineSecret}, 401, "partner_key"},
		"two":                    {both, []string{partnerKey, newPartnerKey}, 401, "partner_key"},
		"one twice":              {both, []string{partnerKey, partnerKey}, 401, "partner_key"},
		"one that was removed":   {removed, []string{partnerKey}, 401, "partner_key"},
		"empty, none is there":   {none, []string{""}, 503, channel.ReasonAwaitingSecret},
		"right, none is there":   {none, []string{partnerKey}, 503, channel.ReasonAwaitingSecret},
	} {
		t.Run(name, func(t *testing.T) {
			for body, status := range map[string]int{"{}": tt.status, "no JSON": max(tt.status, http.StatusBadRequest)} {
				answer, reason := tt.door.Serve(t.Context(), http.Header{"X-Api-Key": tt.given}, []byte(body))
				if answer.Status != status || body == "{}" && reason != tt.reason {
					t.Errorf("%s: %d %s, want %d", body, answer.Status, reason, status)
				}
			}
		})
	}
}

func TestBodies(t *testing.T) {
	azure := newAzure(t)
	door := open(t, azure.URL)
	for name, tt := range map[string]struct{ body, message string }{
		"empty":                 {"", "not one JSON object"},
		"an array":              {"[]", "not one JSON object"},
		"two objects":           {"{}{}", "not one JSON object"},
		"cut off":               {`{"userInfo":{"id":"1"}`, "not one JSON object"},
		"not UTF-8":             {"{\"userInfo\":{\"id\":\"\xff\"}}", "not valid UTF-8"},
		"an id twice":           {`{"userInfo":{"id":"1","id":"2"}}`, `member "id" given twice`},
		"a user twice":          {`{"userInfo":{"id":"1"},"userInfo":{}}`, `member "userInfo" given twice`},
		"a token twice":         {`{"token":"1","token":"2"}`, `member "token" given twice`},
		"too deep":              {`{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}", "nested deeper than 64"},
		"two ids":               {`{"userInfo":{"id":"1","userId":"2"}}`, "userInfo.id and userInfo.userId differ"},
		"an id that is none":    {`{"userInfo":{"id":{}}}`, "userInfo.id is neither text nor number"},
		"a truth for an id":     {`{"userInfo":{"userId":true}}`, "userInfo.id is neither text nor number"},
		"a long id":             {`{"userInfo":{"id":"` + strings.Repeat("1", 257) + `"}}`, "longer than 256 bytes"},
		"a long name":           {`{"userInfo":{"name":"` + strings.Repeat("a", 257) + `"}}`, "longer than 256 bytes"},
		"a list for a name":     {`{"userInfo":{"name":[]}}`, "userInfo.name is no text"},
		"a text for a user":     {`{"userInfo":"hidden"}`, "userInfo is no object"},
		"half an emoji":         {`{"userInfo":{"id":"\ud83d"}}`, "half a surrogate pair"},
		"a token with a line":   {`{"token":"hidden\r\nX: y"}`, "token is none of Direct Line"},
		"a token with a space":  {`{"token":"hidden token"}`, "token is none of Direct Line"},
		"a token in Vietnamese": {`{"token":"hidden-ộ"}`, "token is none of Direct Line"},
		"a token that is none":  {`{"token":{}}`, "token is none of Direct Line"},
		"a long token":          {`{"token":"` + strings.Repeat("a", 8193) + `"}`, "token is none of Direct Line"},
	} {
		t.Run(name, func(t *testing.T) {
			got := door.call(tt.body)
			if got.status != http.StatusBadRequest || got.reason != channel.ReasonMalformed || !strings.Contains(got.said.Message, tt.message) {
				t.Errorf("%+v, want %q", got, tt.message)
			}
		})
	}
	if azure.called() != 0 {
		t.Error("Direct Line was called")
	}
	if long := `{"userInfo":{"extData":"` + strings.Repeat("a", 60<<10) + `"}}`; int64(len(long)) > door.MaxBodySize {
		t.Error("too large for the door")
	} else {
		door.must(long)
	}
}

// TestConnectionsAreShared: the channels and versions of a process share their connections. None is left when no channel
// wants them.
func TestConnectionsAreShared(t *testing.T) {
	azure := newAzure(t)
	workers := channel.NewWorkers(t.Context())
	defer workers.Close()
	for range 3 {
		version := workers.Version()
		one, two := openIn(t, version, azure.URL), openIn(t, version, azure.URL+"/")
		version.Use()
		first := one.must(example)
		two.must(`{"token":"` + first.said.Token + `"}`)
	}
	if made, open := azure.connected(); made != 1 || open != 1 {
		t.Errorf("%d connections were made, %d are open", made, open)
	}
	workers.Version().Use()
	poll.Until(t, "the end of the connection", func() bool { _, open := azure.connected(); return open == 0 })
}

package connector_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel/echo"
)

const (
	echoWord = "hidden-word"
	echoKey  = "hidden-echo-key"
)

// echoing is a configuration with a channel of the type echo beside one of Zalo.
func echoing(t *testing.T, section, sink string) *settings {
	s := newSettings(t, channelSettings{name: shopA, sink: sink})
	s.further = fmt.Sprintf(`- name: chat/echo
  type: Echo
  echo: {%s}
  webhook: {apiKeys: [{name: main, value: %s}], maxEventAge: 0s}
  sink: {http: {url: %q}}
  delivery: {%s}
`, section, keyOf("chat/echo"), sink, quickRetries)
	return s
}

// ask sends a request to the echo's path with the key of the channel.
func (r *running) ask(t *testing.T, method, query, body, signature string) (status int, contentType, answer string) {
	t.Helper()
	return r.askAt(t, "/echo", method, query, body, http.Header{echo.SignatureHeader: {signature}})
}

func (r *running) askAt(t *testing.T, path, method, query, body string, header http.Header) (status int, contentType, answer string) {
	t.Helper()
	target := "http://" + r.address.Webhook + path + "?param.header.xp-api-key=" + keyOf("chat/echo") + query
	call, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	call.Header = header
	response, err := r.client.Do(call)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Content-Type"), string(content)
}

// TestATypeOfOneFolderAndOneLine runs the whole connector with a type that nothing but its line in TestMain names.
func TestATypeOfOneFolderAndOneLine(t *testing.T) {
	bot := newReceiver(t)
	s := echoing(t, fmt.Sprintf("wordSecret: {value: %s}, secretKeys: [{value: %s}]", echoWord, echoKey), bot.URL)
	r := start(t, s.write(t))
	batch := "1 anna hidden-a\n2 bert hidden-b\n3 anna hidden-c\n"
	signed := echo.Sign([]byte(batch), echoKey)
	for _, tt := range []struct {
		what, method, query, body, signature string
		status                               int
		answer                               string
	}{
		{"the handshake", http.MethodGet, "&word=" + echoWord + "&challenge=7f", "", "", 200, "7f"},
		{"a stranger's handshake", http.MethodGet, "&word=other&challenge=7f", "", "", 403, "403 this is not the word\n"},
		{"a probe", http.MethodPost, "", "", echo.Sign(nil, echoKey), 200, "200 ready\n"},
		{"a batch without a signature", http.MethodPost, "", batch, "", 403, "403 no key made this signature\n"},
		{
			"a batch with a line that is no event", http.MethodPost, "", batch + "4\n",
			echo.Sign([]byte(batch+"4\n"), echoKey), 422, "422 a line is no event\n",
		},
		{"a batch", http.MethodPost, "", batch, signed, 200, "200 accepted\n"},
		{"a batch again", http.MethodPost, "", batch, signed, 200, "200 already accepted\n"},
	} {
		status, contentType, answer := r.ask(t, tt.method, tt.query, tt.body, tt.signature)
		if status != tt.status || contentType != "text/plain" || answer != tt.answer {
			t.Errorf("%s: %d %s %q, want %d %q", tt.what, status, contentType, answer, tt.status, tt.answer)
		}
	}
	bot.awaits(t, 3)
	taken := map[string]string{}
	for _, a := range bot.takenSoFar() {
		taken[string(a.body)] = a.header.Get("Content-Type") + " " + a.header.Get("Ce-Channel") + " " + a.header.Get("Ce-Partitionkey")
	}
	want := map[string]string{
		"1 anna hidden-a": "text/plain chat/echo anna",
		"2 bert hidden-b": "text/plain chat/echo bert", "3 anna hidden-c": "text/plain chat/echo anna",
	}
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Errorf("the bot took (-want +got):\n%s", diff)
	}
	r.counts(`webhook_accepted_total{channel="chat/echo"}`, 3)
	r.counts(`webhook_duplicates_total{channel="chat/echo"}`, 3)
	r.counts(`webhook_ignored_total{channel="chat/echo",reason="url_check"}`, 1)
	r.counts(`webhook_refused_total{channel="chat/echo",reason="handshake"}`, 1)
	r.counts(`webhook_refused_total{channel="chat/echo",reason="line"}`, 1)
	r.counts(`webhook_signature_mode{channel="chat/echo",mode="Enforce"}`, 1)
}

// A channel without a signature takes every call with its key.
func TestATypeWithoutSignatures(t *testing.T) {
	bot := newReceiver(t)
	r := start(t, echoing(t, "wordSecret: {value: "+echoWord+"}", bot.URL).write(t))
	if status, _, answer := r.ask(t, http.MethodPost, "", "1 anna hidden-a", ""); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	bot.awaits(t, 1)
}

// A channel's endpoint is served beside its webhook.
func TestAnEndpointOfAType(t *testing.T) {
	r := start(t, echoing(t, "wordSecret: {value: "+echoWord+"}", newReceiver(t).URL).write(t))
	for word, want := range map[string]string{echoWord: "hidden-a", "other": "403 this is not the word\n"} {
		status, contentType, answer := r.askAt(t, echo.EndpointPath, http.MethodPost, "", "hidden-a", http.Header{echo.WordHeader: {word}})
		if (status == 200) != (word == echoWord) || contentType != "text/plain" || answer != want {
			t.Errorf("%d %s %q, want %q", status, contentType, answer, want)
		}
	}
	r.counts(`webhook_ignored_total{channel="chat/echo",reason="echoed"}`, 1)
	r.counts(`webhook_refused_total{channel="chat/echo",reason="word"}`, 1)
}

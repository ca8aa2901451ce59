package connector_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/issuer"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// dialects are those of all types, with an issuer of tokens that ends with the test.
func dialects(t *testing.T) (*issuer.Issuer, []traffic.Dialect) {
	t.Helper()
	tokens, err := issuer.New(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tokens.Close() })
	return tokens, traffic.Dialects(tokens)
}

// TestEveryTypeHasADialect: the tests of all types leave none out.
func TestEveryTypeHasADialect(t *testing.T) {
	_, all := dialects(t)
	for _, of := range types.Channels {
		if of.Name == "Echo" {
			continue // the tests' own type
		}
		found := false
		for _, d := range all {
			found = found || d.Type == of.Name && d.Path == of.DefaultPath
		}
		if !found {
			t.Errorf("no dialect of %s", of.Name)
		}
	}
}

// speaking is a channel of a dialect's type, named after it, in YAML.
func speaking(d traffic.Dialect, name, sink string, secrets ...string) string {
	return fmt.Sprintf(`- name: %s
  type: %s
  %s: %s
  webhook: {apiKeys: [{name: main, value: %s}], maxBodySize: 1Mi}
  sink: {http: {url: %q}}
  delivery: {%s}
`, name, d.Type, config.Type{Name: d.Type}.Member(), d.Section(secrets...), keyOf(name), sink, quickRetries)
}

// speak posts a request, and returns the status and the message of the answer.
func (r *running) speak(req *http.Request) (status int, message string) {
	r.t.Helper()
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal("no answer") // the error has the key
	}
	defer resp.Body.Close()
	var answer struct{ Status, Message string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		r.t.Errorf("an answer that is not xBot's: %v", err)
	}
	if want := map[bool]string{true: "0", false: "1"}[resp.StatusCode == http.StatusOK]; answer.Status != want {
		r.t.Errorf("%d has the status %q in its body", resp.StatusCode, answer.Status)
	}
	if (resp.StatusCode == http.StatusServiceUnavailable) != (resp.Header.Get("Retry-After") != "") {
		r.t.Errorf("%d with Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	_, _ = r.answers.Write([]byte(answer.Message))
	return resp.StatusCode, answer.Message
}

// called is a call in the making.
type called struct {
	method, path, key, secret string
	body                      []byte
	header                    func(http.Header)
}

// askedOfAll are the answers that every type gives alike, in the order of the checks: a call has its own fault and
// those of the later rows that can come along.
var askedOfAll = []struct {
	what    string
	fault   func(*called)
	status  int
	message string
}{
	{"another path", func(c *called) { c.path += "/more" }, 404, "no channel has this path"},
	{"another method", func(c *called) { c.method = http.MethodPut }, 405, "method not allowed: use POST"},
	{"no key", func(c *called) { c.key = "" }, 401, "API key missing or wrong"},
	{"a wrong key", func(c *called) { c.key = keyOf("other") }, 401, "API key missing or wrong"},
	{"a large body, unsigned", func(c *called) {
		c.secret, c.body = "", bytes.Repeat([]byte(" "), 2<<20)
	}, 401, " is missing"},
	{"a large body", func(c *called) { c.body = bytes.Repeat([]byte(" "), 1<<20+1) }, 413, "body is larger than the channel allows"},
	{"a probe", func(c *called) { c.secret, c.body = "", []byte(" {} ") }, 200, "ready"},
	{"an empty probe", func(c *called) { c.secret, c.body = "", nil }, 200, "ready"},
	{"no JSON", func(c *called) { c.body = c.body[:len(c.body)-1] }, 400, "malformed body: "},
	{"two objects", func(c *called) { c.body = append(bytes.Clone(c.body), "{}"...) }, 400, "malformed body: "},
	{"an array", func(c *called) { c.body = fmt.Appendf(nil, "[%s]", c.body) }, 400, "malformed body: "},
	{"no UTF-8", func(c *called) { c.body = bytes.Replace(c.body, []byte(saidText), []byte{0xc3, 0x28}, 1) }, 400, "malformed body: "},
	{"too deep", func(c *called) {
		c.body = fmt.Appendf(nil, `%s,"x":%s}`, c.body[:len(c.body)-1], strings.Repeat("[", 64)+strings.Repeat("]", 64))
	}, 400, "malformed body: "},
	{"unsigned", func(c *called) { c.secret = "" }, 401, " is missing"},
	{"signed twice", func(c *called) {
		c.header = func(h http.Header) {
			for name, values := range h {
				if name != "Xp-Api-Key" {
					h[name] = append(values, values...)
				}
			}
		}
	}, 401, " is given more than once"},
}

// saidText is the text of every message.
const saidText = "hidden-words"

func (c *called) request(t *testing.T, r *running, d traffic.Dialect) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+r.address.Webhook+c.path, bytes.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.key != "" {
		req.Header.Set("Xp-Api-Key", c.key)
	}
	if c.secret != "" {
		d.Sign(req.Header, c.body, c.secret)
	}
	if c.header != nil {
		c.header(req.Header)
	}
	return req
}

// sampleOf is a call as connector send makes it.
func sampleOf(t *testing.T, r *running, d traffic.Dialect, secret string) *http.Request {
	t.Helper()
	sample, values := types.Channel(d.Type).Sample, map[string]string{"app-id": example.AppID}
	for _, field := range sample.Fields {
		if !field.Required {
			values[field.Name] = field.Default
		}
	}
	body, err := sample.Body(values, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	call := called{method: http.MethodPost, path: d.Path, key: keyOf("chat/all"), body: body, header: func(h http.Header) {
		if err := sample.Sign(h, body, secret); err != nil {
			t.Error(err)
		}
	}}
	return call.request(t, r, d)
}

// TestTheReportTellsOfAwaitedKeys: as long as no call can be verified because Azure's keys cannot be fetched.
func TestTheReportTellsOfAwaitedKeys(t *testing.T) {
	tokens, _ := dialects(t)
	var there atomic.Bool
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !there.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		passOn(t, w, tokens)
	}))
	t.Cleanup(mirror.Close)
	d, s := traffic.AzureBot(tokens), newSettings(t)
	s.further = strings.ReplaceAll(speaking(d, "chat/all", newReceiver(t).URL, d.Secret()), tokens.MetadataURL(), mirror.URL)
	r := start(t, s.write(t))
	awaits := func(got report.Report) bool { return got.Channels[len(got.Channels)-1].Signature.Awaiting }
	r.awaitsReport("that keys are awaited", awaits)
	there.Store(true)
	r.awaitsReport("that none are", func(got report.Report) bool { return !awaits(got) })
}

// passOn answers with an issuer's metadata.
func passOn(t *testing.T, w http.ResponseWriter, tokens *issuer.Issuer) {
	resp, err := http.Get(tokens.MetadataURL())
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(w, resp.Body) // the connector says what was cut short
}

// TestReadyWithKeys: a process that is ready can verify calls, if the keys can be had within a moment. One that replaces
// another refuses none.
func TestReadyWithKeys(t *testing.T) {
	tokens, _ := dialects(t)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		select {
		case <-time.After(300 * time.Millisecond):
		case <-call.Context().Done():
		}
		passOn(t, w, tokens)
	}))
	t.Cleanup(slow.Close)
	d, s := traffic.AzureBot(tokens), newSettings(t)
	secret := d.Secret()
	s.further = strings.ReplaceAll(speaking(d, "chat/all", newReceiver(t).URL, secret), tokens.MetadataURL(), slow.URL)
	r := start(t, s.write(t))
	first := called{
		method: http.MethodPost, path: d.Path, key: keyOf("chat/all"), secret: secret,
		body: d.Write(traffic.Message{N: 1}, time.Now(), saidText),
	}
	if status, message := r.speak(first.request(t, r, d)); status != http.StatusOK {
		t.Errorf("the first call: %d %q", status, message)
	}
}

// TestEveryTypeAnswers: each type gives the answers of docs/webhook.md, in their order.
func TestEveryTypeAnswers(t *testing.T) {
	_, all := dialects(t)
	for _, d := range all {
		t.Run(d.Type, func(t *testing.T) {
			bot, secret := newReceiver(t), d.Secret()
			s := newSettings(t)
			s.further = speaking(d, "chat/all", bot.URL, secret)
			r := start(t, s.write(t))
			said := func(n int) called {
				return called{
					method: http.MethodPost, path: d.Path, key: keyOf("chat/all"), secret: secret,
					body: d.Write(traffic.Message{N: n}, time.Now(), saidText),
				}
			}
			first := said(0)
			poll.Until(t, "the first message is accepted", func() bool { // keys may have to be fetched
				status, _ := r.speak(first.request(t, r, d))
				return status == http.StatusOK
			})
			for _, row := range askedOfAll {
				call := said(1)
				row.fault(&call)
				if status, message := r.speak(call.request(t, r, d)); status != row.status || !strings.Contains(message, row.message) {
					t.Errorf("%s: %d %q, want %d %q", row.what, status, message, row.status, row.message)
				}
			}
			again, next := said(1), said(2)
			for _, tt := range []struct {
				of      called
				message string
			}{{first, "already accepted"}, {again, "accepted"}, {again, "already accepted"}, {next, "accepted"}} {
				if status, message := r.speak(tt.of.request(t, r, d)); status != http.StatusOK || message != tt.message {
					t.Errorf("%d %q, want %q", status, message, tt.message)
				}
			}
			whole, m := said(3), traffic.Message{N: 3}
			whole.body = d.Write(m, time.Now(), strings.Repeat("x", 1<<20-len(d.Write(m, time.Now(), ""))))
			if status, message := r.speak(whole.request(t, r, d)); len(whole.body) != 1<<20 || status != http.StatusOK || message != "accepted" {
				t.Errorf("a body of %d bytes: %d %q", len(whole.body), status, message)
			}
			if status, message := r.speak(sampleOf(t, r, d, secret)); status != http.StatusOK || message != "accepted" {
				t.Errorf("the sample of connector send: %d %q", status, message)
			}
			bot.awaits(t, 5)
			for n, got := range bot.takenSoFar()[:3] {
				if m, err := traffic.ParseMessage(got.body); err != nil || m.N != n {
					t.Errorf("delivery %d is of message %v, %v", n, m, err)
				}
			}
		})
	}
}

// TestEveryTypeRotatesUnderLoad: no call is refused while keys and secrets change.
func TestEveryTypeRotatesUnderLoad(t *testing.T) {
	_, all := dialects(t)
	for _, d := range all {
		t.Run(d.Type, func(t *testing.T) {
			bot, err := traffic.NewBot(t.Context(), "127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = bot.Close() })
			s, keys := newSettings(t), traffic.Keys{APIKey: keyOf("0"), Secret: d.Secret()}
			write := func(keys ...traffic.Keys) {
				s.further = speaking(d, "chat/rotates", bot.URL(), secretsOf(keys)...)
				s.further = strings.Replace(s.further, "{name: main, value: "+keyOf("chat/rotates")+"}", keysOf(keys), 1)
				s.write(t)
			}
			write(keys)
			r := start(t, s.path())
			url := "http://" + r.address.Webhook + d.Path
			poll.Until(t, "the first message is accepted", func() bool {
				status, err := d.Post(t.Context(), r.client, url, keys, traffic.Message{Conversation: 99}, saidText)
				return err == nil && status == http.StatusOK
			})
			platform := &traffic.Platform{URL: url, Dialect: d, Conversations: 8, Pause: time.Millisecond, Text: saidText, Patience: patience}
			platform.Start(t.Context(), keys)
			for n := range 4 {
				next := traffic.Keys{APIKey: keyOf(fmt.Sprint(n + 1)), Secret: d.Secret()}
				r.awaitReload("applied", func() { write(keys, next) })
				platform.Use(next)
				settle(t, platform)
				r.awaitReload("applied", func() { write(next) })
				keys = next
			}
			platform.Finish()
			for _, call := range platform.Calls() {
				if call.Failed() {
					t.Errorf("refused: %v", call)
				}
			}
			poll.Until(t, "everything arrives", func() bool {
				return len(traffic.Judge(platform.Acknowledged(), bot.Arrivals()).Lost) == 0
			})
			if v := traffic.Judge(platform.Acknowledged(), bot.Arrivals()); len(v.Lost)+len(v.Inverted) > 0 || v.Acknowledged < 50 {
				t.Error(v)
			}
		})
	}
}

// settle waits until a call of each conversation has begun and ended: none is under way with other keys.
func settle(t *testing.T, p *traffic.Platform) {
	t.Helper()
	before := p.Acknowledged()
	poll.Until(t, "every conversation goes on", func() bool {
		for i, n := range p.Acknowledged() {
			if n < before[i]+2 {
				return false
			}
		}
		return true
	})
}

func secretsOf(keys []traffic.Keys) (secrets []string) {
	for _, k := range keys {
		secrets = append(secrets, k.Secret)
	}
	return secrets
}

func keysOf(keys []traffic.Keys) string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = fmt.Sprintf("{name: key-%d, value: %s}", i, k.APIKey)
	}
	return strings.Join(list, ", ")
}

// TestAThousandChannelsOfAllTypes live in one process: each takes and delivers its own events.
func TestAThousandChannelsOfAllTypes(t *testing.T) {
	const channels = 1000
	_, all := dialects(t)
	bot := newReceiver(t)
	s, secrets := newSettings(t), make([]string, channels)
	var file strings.Builder
	name := func(i int) string { return fmt.Sprintf("chat/c%d", i) }
	token := all[1].Secret() // one token is valid in every channel of the bot
	for i := range channels {
		d := all[i%len(all)]
		if secrets[i] = example.Key(16); d.Type == "AzureBot" {
			secrets[i] = token
		}
		file.WriteString(speaking(d, name(i), bot.URL, secrets[i]))
	}
	s.further = file.String()
	r := start(t, s.write(t))
	post := func(i, n int, secret string) int {
		d := all[i%len(all)]
		status, err := d.Post(t.Context(), r.client, "http://"+r.address.Webhook+d.Path,
			traffic.Keys{APIKey: keyOf(name(i)), Secret: secret}, traffic.Message{Conversation: i, N: n}, saidText)
		if err != nil {
			t.Fatal("no answer") // the error has the key
		}
		return status
	}
	for i := range channels {
		poll.Until(t, name(i)+" accepts", func() bool { return post(i, 0, secrets[i]) == http.StatusOK })
		if status := post(i, 1, "hidden-wrong-secret"); status != http.StatusUnauthorized {
			t.Errorf("%s with another secret: %d", name(i), status)
		}
	}
	bot.awaits(t, channels)
	for _, got := range bot.takenSoFar() {
		m, err := traffic.ParseMessage(got.body)
		if err != nil || got.header.Get("Ce-Channel") != name(m.Conversation) {
			t.Errorf("%v of %s, %v", m, got.header.Get("Ce-Channel"), err)
		}
	}
}

package connector_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

const (
	pushPath = zalo.DefaultPath
	// samples holds the samples of the type zalo.
	samples = "channel/zalo/testdata"

	secret = "synthetic-oa-secret-key-0001" // of the samples' signatures
	app    = "6254742270069193212"
	oa     = "3194756705928268010"
	// user is the stem of every message's user id.
	user    = "66918762619"
	shopA   = "chat/a"
	shopB   = "chat/b"
	text    = "Xin chào"
	sampled = "6691876261951168430" // the user of most samples
)

// hidden must appear in no log, metric and error answer.
var hidden = []string{
	secret, user, "Xin ch", "msg_id", sampled,
	keyOf(shopA), keyOf(shopB), keyOf(shopA)[:16], "next-key", "hidden-",
	reportToken,
}

// reportToken lets its holder read the report.
const reportToken = "synthetic-report-token"

// keyOf is a channel's API key.
func keyOf(channel string) string {
	digest := sha256.Sum256([]byte("key of " + channel))
	return hex.EncodeToString(digest[:])
}

// message is a user's message to a channel.
type message struct {
	channel string
	// talk names the conversation, id the message; ids are unique.
	talk, id string
}

func (m message) body() []byte {
	return fmt.Appendf(nil,
		`{"event_name":"user_send_text","app_id":%q,"sender":{"id":%q},"recipient":{"id":%q},"message":{"text":%q,"msg_id":%q},`+
			`"timestamp":"1782863507304"}`,
		app, user+m.talk, oa, text, m.id)
}

func signatureOf(body []byte) string { return zalo.Sign(app, body, "1782863507304", secret) }

// settings are a configuration file.
type settings struct {
	folder string
	// server are further fields of the section server, in YAML's flow form; stop and channels likewise.
	server, stop string
	address      string
	// report and log are the sections of that name, in YAML's flow form.
	report, log string
	channels    []channelSettings
	// further are channels as they stand in the file.
	further string
}

// channelSettings are one channel; every field but the first two has a default.
type channelSettings struct {
	name, sink string
	keys       string
	// age is maxEventAge: 0s by default, because messages and samples have the timestamps of their day.
	age      string
	zalo     string
	events   string
	http     string
	delivery string
}

// newSettings is a configuration in a folder of its own. Retries come quickly, and the stop does not wait for
// endpoints.
func newSettings(t testing.TB, channels ...channelSettings) *settings {
	return &settings{folder: t.TempDir(), stop: "drainDelay: 0s, gracePeriod: 20s", address: "127.0.0.1:0",
		report: fmt.Sprintf("token: {value: %s}", reportToken), channels: channels}
}

const quickRetries = "retry: {initialBackoff: 5ms, maxBackoff: 50ms}"

func (s *settings) path() string { return filepath.Join(s.folder, "connector.yaml") }

func (s *settings) yaml() string {
	var y strings.Builder
	fmt.Fprintf(&y, `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
server: {address: %q, %s}
metrics: {address: "127.0.0.1:0"}
report: {%s}
log: {%s}
admin: {socket: admin.sock}
inbox: {embedded: {path: inbox, maxSize: 64Mi}}
stop: {%s}
channels:
`, s.address, s.server, s.report, s.log, s.stop)
	for _, c := range s.channels {
		fmt.Fprintf(&y, `- name: %s
  type: ZaloOA
  zaloOA: {%s}
  webhook: {apiKeys: [%s], maxEventAge: %s, events: {%s}}
  sink: {http: {url: %q, %s}}
  delivery: {%s}
`, c.name, or(c.zalo, fmt.Sprintf(`appID: %q, signature: {secretKeys: [{value: %s}]}`, app, secret)),
			or(c.keys, fmt.Sprintf("{name: main, value: %s}", keyOf(c.name))),
			or(c.age, "0s"), c.events, c.sink, c.http, or(c.delivery, quickRetries))
	}
	return y.String() + s.further
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// write writes the file and returns its path.
func (s *settings) write(t testing.TB) string {
	t.Helper()
	put(t, s.path(), s.yaml())
	return s.path()
}

// put replaces a file as a careful editor does, so that no reader sees half.
func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func readJSON[T any](t testing.TB, name string) (v T) {
	t.Helper()
	if err := json.Unmarshal(readSample(t, name), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func readSample(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// receiver is a sink that keeps what it was sent.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	attempts []attempt
	taken    []attempt
	answer   func(http.ResponseWriter, attempt)
}

// attempt is one delivery as the sink sees it.
type attempt struct {
	header http.Header
	body   []byte
	// from is the connector's end of the connection.
	from string
	// gone is closed when the connector gives up.
	gone <-chan struct{}
}

// id is the message's own id.
func (a attempt) id() string { return a.message().Message.ID }

func (a attempt) talk() string { return strings.TrimPrefix(a.message().Sender.ID, user) }

type received struct {
	Sender  struct{ ID string }
	Message struct {
		ID string `json:"msg_id"`
	}
}

func (a attempt) message() (m received) {
	_ = json.Unmarshal(a.body, &m) // what is no message has no id
	return m
}

// newReceiver starts a sink that takes everything.
func newReceiver(t testing.TB) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// answers replaces how the sink answers; nil takes everything. An answer function that writes nothing takes the event.
func (r *receiver) answers(f func(http.ResponseWriter, attempt)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// ServeHTTP answers one delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	a := attempt{header: req.Header, body: body, from: req.RemoteAddr, gone: req.Context().Done()}
	r.mu.Lock()
	r.attempts = append(r.attempts, a)
	answer := r.answer
	r.mu.Unlock()
	watched := &statusWriter{ResponseWriter: w}
	if answer != nil {
		answer(watched, a)
	}
	if watched.status == 0 || watched.status/100 == 2 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.taken = append(r.taken, a)
	}
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter

	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// hijack takes the connection over, so that no status was answered well.
func (w *statusWriter) hijack(say string) {
	w.status = http.StatusTeapot
	conn, _, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, say)
	_ = conn.Close()
}

// status answers every delivery with a status.
func status(code int, header ...string) func(http.ResponseWriter, attempt) {
	return func(w http.ResponseWriter, _ attempt) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// attempted counts the deliveries so far, taken the ones that were taken.
func (r *receiver) attempted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.attempts)
}

func (r *receiver) takenSoFar() []attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

// ids are the messages that were taken, in order, by conversation.
func (r *receiver) ids() map[string][]string {
	ids := make(map[string][]string)
	for _, a := range r.takenSoFar() {
		ids[a.talk()] = append(ids[a.talk()], a.id())
	}
	return ids
}

// count is how often each message was taken.
func (r *receiver) count() map[string]int {
	n := make(map[string]int)
	for _, a := range r.takenSoFar() {
		n[a.id()]++
	}
	return n
}

func (r *receiver) awaits(t testing.TB, taken int) {
	t.Helper()
	poll.Until(t, fmt.Sprintf("%d events at the sink", taken), func() bool { return len(r.takenSoFar()) >= taken })
}

package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/listener"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	path     = zalo.DefaultPath
	key      = "5b1f0d3c9a7e46288c1d2e3f405162738495a6b7c8d9eaf0112233445566778f"
	otherKey = "a0b1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddeeff"
	secret   = "synthetic-oa-secret-key-0001"
	app      = "6254742270069193212"
	oa       = "3194756705928268010"
	user     = "6691876261951168430"
)

// secrets must appear in no log and no metric.
var secrets = []string{key, otherKey, key[:32], secret, user, "Xin ch"}

// fakeInbox keeps events in memory.
type fakeInbox struct {
	mu     sync.Mutex
	events []event.Event
	seen   map[string]bool
	err    error
	// known makes every event one that was stored before.
	known bool
	// block, when set, is waited for before anything is stored; where hold is set too, for the channels that it names
	// only.
	block chan struct{}
	hold  func(channel string) bool
	// entered receives a value when Accept begins, if there is room.
	entered chan struct{}
}

func newFakeInbox() *fakeInbox {
	return &fakeInbox{seen: make(map[string]bool), entered: make(chan struct{}, 1000)}
}

func (f *fakeInbox) Accept(ctx context.Context, batch []event.Event) ([]inbox.Outcome, error) {
	select {
	case f.entered <- struct{}{}:
	default:
	}
	if f.block != nil && (f.hold == nil || f.hold(batch[0].Channel)) {
		select {
		case <-f.block:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the commit: %w", ctx.Err())
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	outcomes := make([]inbox.Outcome, len(batch))
	for i, e := range batch {
		outcomes[i] = inbox.Duplicate
		if id := e.Channel + " " + e.ID.String(); !f.known && !f.seen[id] {
			f.seen[id] = true
			f.events = append(f.events, e)
			outcomes[i] = inbox.Stored
		}
	}
	return outcomes, nil
}

func (f *fakeInbox) stored() []event.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events
}

// testLimits are the bounds of the tests' servers.
var testLimits = listener.Limits{Connections: 1024, HeaderSize: 8 << 10, HeaderLines: 100}

// fixture is a handler with its surroundings.
type fixture struct {
	*Handler
	inbox    *fakeInbox
	registry *prometheus.Registry
	metrics  *telemetry.Metrics
	log      logr.Logger
}

// newFixture makes a handler of the given channels. When the test ends, the log and the metrics are searched for
// secrets.
func newFixture(t testing.TB, change func(*Options), channels ...Channel) *fixture {
	t.Helper()
	var mu sync.Mutex
	var logged strings.Builder
	logger := funcr.New(func(prefix, args string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(&logged, prefix, args)
	}, funcr.Options{Verbosity: 10})
	registry := prometheus.NewRegistry()
	f := &fixture{inbox: newFakeInbox(), registry: registry, metrics: telemetry.New(registry), log: logger}
	o := Options{Inbox: f.inbox, Metrics: f.metrics, Log: logger, Now: time.Now, MaxInFlight: 64, MaxBufferedBytes: 64 << 20}
	if change != nil {
		change(&o)
	}
	f.Handler = NewHandler(o)
	f.Use(NewRoutes(channels))
	t.Cleanup(func() {
		text, err := exposition(registry)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, secret := range secrets {
			if strings.Contains(logged.String(), secret) || strings.Contains(text, secret) {
				t.Errorf("%q is in the log or the metrics:\n%s\n%s", secret, logged.String(), text)
			}
		}
	})
	return f
}

func exposition(registry *prometheus.Registry) (string, error) {
	families, err := registry.Gather()
	var text strings.Builder
	for _, family := range families {
		text.WriteString(family.String())
	}
	return text.String(), err
}

// zaloOA is the samples' app.
func zaloOA() zalo.Settings {
	return zalo.Settings{
		AppID:            app,
		Signature:        zalo.Signature{Mode: channel.SignatureEnforce, SecretKeys: []config.Secret{config.NewSecret(secret)}},
		OfficialAccounts: []zalo.OfficialAccount{{ID: oa}, {ID: "4547476331570598169"}},
	}
}

// opened is a channel of the type zalo.
func opened(name string, s zalo.Settings) channel.Channel { return s.Open(name, channel.Environment{}) }

// newChannel is a channel of the samples' app that takes every event.
func newChannel(change ...func(*Channel)) Channel {
	c := Channel{
		Name: "chat/shop", Path: path, Keys: digests(key), MaxBodySize: 1 << 20, Enforces: true,
		Events: config.EventFilter{Include: []string{"*"}}, Type: opened("chat/shop", zaloOA()),
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func digests(keys ...string) (found [][sha256.Size]byte) {
	for _, key := range keys {
		found = append(found, sha256.Sum256([]byte(key)))
	}
	return found
}

// urlOn is the push URL, with the key, on an address.
func urlOn(address net.Addr) string {
	return "http://" + address.String() + path + "?" + keyParameter + "=" + key
}

// start starts a real server on loopback, which the test stops; served receives what Serve returned.
func (f *fixture) start(t testing.TB, certificate *tls.Certificate) (server *Server, address net.Addr, served chan error) {
	t.Helper()
	bound, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server = NewServer(f.Handler, testLimits, f.log)
	server.UseCertificate(certificate)
	served = make(chan error, 1)
	go func() { served <- server.Serve(bound) }()
	return server, bound.Addr(), served
}

// serve starts a real server until the test ends, and returns its URL.
func (f *fixture) serve(t testing.TB) string {
	t.Helper()
	server, address, served := f.start(t, nil)
	t.Cleanup(func() {
		if err := errors.Join(server.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return urlOn(address)
}

// message is a signed message of the samples' app.
func message(id string) (body []byte, signature string) {
	body = fmt.Appendf(nil,
		`{"event_name":"user_send_text","app_id":%q,"sender":{"id":%q},"recipient":{"id":%q},"message":{"text":"Xin chào","msg_id":%q},`+
			`"timestamp":"1782863507304"}`, app, user, oa, id)
	return body, zalo.Sign(app, body, "1782863507304", secret)
}

func request(target string, body []byte, signature string) *http.Request {
	call := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	call.Header.Set(zalo.SignatureHeader, signature)
	return call
}

// do has the handler answer without a network.
func (f *fixture) do(call *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, call)
	return w
}

// said is an answer's body.
type said struct{ Status, Message string }

func readReply(t testing.TB, r io.Reader) (got said) {
	t.Helper()
	if err := json.NewDecoder(r).Decode(&got); err != nil {
		t.Fatalf("the answer is no JSON: %v", err)
	}
	return got
}

// post sends a signed body to a real server.
func post(t testing.TB, client *http.Client, target string, body io.Reader, signature string) (*http.Response, said) {
	t.Helper()
	call, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, body)
	if err != nil {
		t.Fatal(err)
	}
	call.Header.Set(zalo.SignatureHeader, signature)
	response, err := client.Do(call)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response, readReply(t, response.Body)
}

func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (f *fixture) refused(channelName, reason string) int {
	return int(f.metrics.Of(channelName).Refused.Of(reason))
}

// value is what a counter or gauge stands at.
func value(metric prometheus.Metric) int {
	var read dto.Metric
	if err := metric.Write(&read); err != nil {
		panic(err)
	}
	return int(read.GetCounter().GetValue() + read.GetGauge().GetValue())
}

var eventually = poll.Until

// sampleFolder holds the samples of the type zalo.
const sampleFolder = "../channel/zalo/testdata"

func sample(t testing.TB, file string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(sampleFolder, file))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

package connector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega/gbytes"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector"
	"xbot.a4b.vn/channel-connector/connector/admin"
	"xbot.a4b.vn/channel-connector/connector/channel/echo"
	"xbot.a4b.vn/channel-connector/connector/sink/batchtest"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMain(m *testing.M) {
	connector.UseDisks()
	types.Channels = append(types.Channels, echo.Type)
	types.Sinks = append(types.Sinks, batchtest.Type)
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come; it asserts no speed.
const patience = time.Minute

// running is a connector at work.
type running struct {
	t testing.TB
	// logs are everything that it logged, at the level debug.
	logs *gbytes.Buffer
	// answers are the bodies of everything but 200 that callers saw.
	answers *gbytes.Buffer
	address struct{ Webhook, Metrics, Admin string }
	level   slog.LevelVar
	client  *http.Client
	cancel  context.CancelFunc
	ended   chan struct{}
	err     error
}

// start runs the connector on a configuration file until the test ends, and waits until it is ready. In the end what it
// logged, exported and answered is searched for what must not be there.
func start(t testing.TB, path string) *running {
	t.Helper()
	return startBy(t, func(ctx context.Context, log logr.Logger, level *slog.LevelVar) error {
		return connector.Run(ctx, log, level, path)
	})
}

// startBy is start with another way to run the connector.
func startBy(t testing.TB, run func(context.Context, logr.Logger, *slog.LevelVar) error) *running {
	t.Helper()
	r := &running{t: t, logs: gbytes.NewBuffer(), answers: gbytes.NewBuffer(), client: newClient(t), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		r.err = run(ctx, newLogger(r.logs), &r.level)
	}()
	t.Cleanup(func() { r.finish(t) })
	poll.Until(t, "readiness", func() bool {
		select {
		case <-r.ended:
			t.Fatalf("the connector did not start: %v", r.err)
		default:
		}
		for line := range strings.Lines(r.logged()) {
			if strings.Contains(line, `"msg":"ready"`) {
				return json.Unmarshal([]byte(line), &r.address) == nil
			}
		}
		return false
	})
	return r
}

func newLogger(w io.Writer) logr.Logger {
	return logr.FromSlogHandler(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// logged is all that the connector has logged.
func (r *running) logged() string { return string(r.logs.Contents()) }

// finish stops the connector if it still runs, and searches what it has shown.
func (r *running) finish(t testing.TB) {
	select {
	case <-r.ended:
	default:
		r.hasNoSecrets("/metrics", r.scrape())
		_, document := r.askReport("Bearer " + reportToken)
		r.hasNoSecrets("the report", document)
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	r.hasNoSecrets("the logs", r.logged())
	r.hasNoSecrets("the answers", string(r.answers.Contents()))
	if t.Failed() {
		t.Logf("logs:\n%s", r.logged())
	}
}

// hasNoSecrets looks for keys, user ids and parts of bodies.
func (r *running) hasNoSecrets(where, text string) {
	r.t.Helper()
	for _, hidden := range hidden {
		if strings.Contains(text, hidden) {
			r.t.Errorf("%s show %q:\n%s", where, hidden, text)
		}
	}
}

// stop ends the connector as a signal would, and returns what Run returned.
func (r *running) stop() error {
	r.t.Helper()
	r.cancel()
	return r.wait()
}

func (r *running) wait() error {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatal("the connector did not end")
	}
	return r.err
}

// get returns an answer of the metrics' listener.
func (r *running) get(path string) (status int, body string, err error) {
	resp, err := r.client.Get("http://" + r.address.Metrics + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(content), err
}

func (r *running) scrape() string {
	r.t.Helper()
	status, body, err := r.get("/metrics")
	if err != nil || status != http.StatusOK {
		r.t.Fatalf("/metrics: %d, %v", status, err)
	}
	return body
}

// metric returns the value of one series, by its text in the exposition, and whether it exists.
func (r *running) metric(series string) (value float64, exists bool) {
	r.t.Helper()
	for line := range strings.Lines(r.scrape()) {
		text, ok := strings.CutPrefix(line, "xbot_connector_"+series+" ")
		if !ok {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			r.t.Fatalf("%s: %v", line, err)
		}
		return value, true
	}
	return 0, false
}

// counts checks a series that is settled.
func (r *running) counts(series string, want int) {
	r.t.Helper()
	if got, _ := r.metric(series); got != float64(want) {
		r.t.Errorf("%s is %v, want %d", series, got, want)
	}
}

// awaits waits until a series has a value.
func (r *running) awaits(series string, want int) {
	r.t.Helper()
	poll.Until(r.t, fmt.Sprintf("%s %d", series, want), func() bool {
		got, exists := r.metric(series)
		return exists && got == float64(want)
	})
}

// awaitReload makes a change, and waits until a reload has ended with result.
func (r *running) awaitReload(result string, change func()) {
	r.t.Helper()
	series := fmt.Sprintf(`config_reloads_total{result=%q}`, result)
	before, _ := r.metric(series)
	change()
	poll.Until(r.t, "a reload that is "+result, func() bool {
		now, _ := r.metric(series)
		return now > before
	})
}

// call posts a message with its channel's key and fails the test unless it is accepted.
func (r *running) call(m message) {
	r.t.Helper()
	if status, _, err := r.post(m, keyOf(m.channel)); err != nil || status != http.StatusOK {
		r.t.Fatalf("%s: %d, %v", m.id, status, err)
	}
}

// post posts a signed message; closing tells whether the server asked to close the connection.
func (r *running) post(m message, key string) (status int, closing bool, err error) {
	body := m.body()
	return r.postRaw(body, signatureOf(body), "?param.header.xp-api-key="+key)
}

func (r *running) postRaw(body []byte, signature, query string) (status int, closing bool, err error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+r.address.Webhook+pushPath+query, bytes.NewReader(body))
	if err != nil {
		return 0, false, err
	}
	if signature != "" {
		req.Header.Set("X-ZEvent-Signature", signature)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, false, errors.Unwrap(err) // without the URL
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		_, _ = r.answers.Write(answer)
	}
	return resp.StatusCode, resp.Close, err
}

func (r *running) api() *admin.Client { return admin.NewClient(r.address.Admin) }

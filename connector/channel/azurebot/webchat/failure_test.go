package webchat_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// says is a Direct Line that answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/v3/directline/tokens/generate")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangs answers nothing until its caller is gone.
func hangs(_ http.ResponseWriter, call *http.Request) {
	_, _ = io.Copy(io.Discard, call.Body) // only then does the server see that the caller hangs up
	<-call.Context().Done()
}

// cut answers with less than it announces.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"token":`)
}

// TestDirectLineFails: whatever Direct Line does, the call is answered, says why, and is made once.
func TestDirectLineFails(t *testing.T) {
	const (
		good        = `{"conversationId":"hidden","token":"hidden","expires_in":3600}`
		unexpected  = "direct_line_unexpected"
		unreachable = "direct_line_unreachable"
		none        = "holds no token"
	)
	largeHeader := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("A", strings.Repeat("a", 96<<10)) }
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	azure := newAzure(t)
	door := open(t, azure.URL)
	for name, tt := range map[string]struct {
		does              http.HandlerFunc
		generate, refresh int
		reason            channel.Reason
		message           string
	}{
		"the secret is wrong":     {says(403, `{"error":{"message":"hidden"}}`), 502, 401, "direct_line_secret", "secret is refused"},
		"the secret is malformed": {says(401, ""), 502, 401, "direct_line_secret", "secret is refused"},
		"an origin is wrong":      {says(400, "hidden"), 502, 401, unexpected, "compare trustedOrigins"},
		"too many calls":          {says(429, "hidden"), 503, 503, "direct_line_throttled", "takes no more calls"},
		"an error":                {says(500, "hidden"), 503, 503, "direct_line_failed", "status 500"},
		"a gateway":               {says(502, "<html>hidden"), 503, 503, "direct_line_failed", "status 502"},
		"another site":            {says(404, "hidden"), 502, 502, unexpected, "status 404"},
		"a redirect":              {says(307, "hidden"), 502, 502, unexpected, "status 307"},
		"nothing":                 {says(204, ""), 502, 502, unexpected, "status 204"},
		"no JSON":                 {says(200, "<html>hidden"), 502, 502, unexpected, none},
		"another object":          {says(200, `{"status":"hidden"}`), 502, 502, unexpected, none},
		"no token":                {says(200, `{"conversationId":"c","expires_in":1}`), 502, 502, unexpected, none},
		"no conversation":         {says(200, `{"token":"hidden","expires_in":1}`), 502, 502, unexpected, none},
		"an expired one":          {says(200, `{"conversationId":"c","token":"hidden","expires_in":0}`), 502, 502, unexpected, none},
		"one for ever":            {says(200, `{"conversationId":"c","token":"hidden","expires_in":1e99}`), 502, 502, unexpected, none},
		"a huge answer":           {says(200, good+strings.Repeat(" ", 64<<10)), 502, 502, unexpected, none},
		"a huge header":           {largeHeader, 503, 503, unreachable, ""},
		"an answer cut short":     {cut, 503, 503, unreachable, "cannot be reached"},
		"a connection cut short":  {abort, 503, 503, unreachable, "no connection"},
	} {
		t.Run(name, func(t *testing.T) {
			azure.misbehave(tt.does)
			got := door.call(example)
			if got.status != tt.generate || got.reason != tt.reason || !strings.Contains(got.said.Message, tt.message) {
				t.Errorf("a new token: %+v, want %d %s %q", got, tt.generate, tt.reason, tt.message)
			}
			if got := door.call(`{"token":"hidden"}`); got.status != tt.refresh {
				t.Errorf("a refreshed token: %+v, want %d", got, tt.refresh)
			}
			if calls := azure.called(); calls != 2 {
				t.Errorf("Direct Line was called %d times", calls)
			}
		})
	}
}

// TestDirectLineIsAway: the cause is named, and not the address.
func TestDirectLineIsAway(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = nobody.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted.StartTLS()
	defer untrusted.Close()
	for url, message := range map[string]string{
		"http://" + nobody.Addr().String(): "there is no connection to it", untrusted.URL: "its certificate is not trusted",
	} {
		got := open(t, url).call(example)
		if got.status != 503 || got.reason != "direct_line_unreachable" || !strings.Contains(got.said.Message, message) {
			t.Errorf("%+v, want %q", got, message)
		}
	}
}

// TestDirectLineHangs: the answer comes before the call's time is over, whether or not an answer has begun.
func TestDirectLineHangs(t *testing.T) {
	azure := newAzure(t)
	door := open(t, azure.URL)
	for name, does := range map[string]http.HandlerFunc{
		"before the answer": hangs,
		"within the answer": func(w http.ResponseWriter, call *http.Request) {
			_, _ = io.WriteString(w, `{"token":`)
			w.(http.Flusher).Flush()
			hangs(w, call)
		},
	} {
		t.Run(name, func(t *testing.T) {
			azure.misbehave(does)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			got := door.callWithin(ctx, example)
			if got.status != http.StatusServiceUnavailable || got.reason != "direct_line_timeout" || ctx.Err() != nil {
				t.Errorf("%+v; too late: %v", got, ctx.Err())
			}
		})
	}
	azure.misbehave(nil)
	door.must(example)
}

// TestCallerHangsUp: the call to Direct Line ends with its own.
func TestCallerHangsUp(t *testing.T) {
	azure := newAzure(t)
	azure.misbehave(hangs)
	door := open(t, azure.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answered := make(chan opened)
	go func() { answered <- door.callWithin(ctx, example) }()
	poll.Until(t, "the call to Direct Line", func() bool { return azure.called() == 1 })
	cancel()
	if got := <-answered; got.status != http.StatusServiceUnavailable || got.reason != "aborted" {
		t.Errorf("%+v", got)
	}
}

// TestTooManyCallsOfAll: those of all channels of a process are bounded together, and those of the versions before it
// count. Each call has a connection.
func TestTooManyCallsOfAll(t *testing.T) {
	const most = 64
	azure := newAzure(t)
	azure.misbehave(hangs)
	workers := channel.NewWorkers(context.Background())
	t.Cleanup(workers.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answered := make(chan opened)
	var last *door
	for i := range most {
		if i%8 == 0 { // half of what one channel may have
			version := workers.Version()
			last = openIn(t, version, azure.URL)
			version.Use()
		}
		go func(door *door) { answered <- door.callWithin(ctx, example) }(last)
	}
	poll.Until(t, "the calls to Direct Line", func() bool { return azure.called() == most })
	short, end := context.WithTimeout(t.Context(), time.Second)
	defer end()
	if got := last.callWithin(short, example); got.status != http.StatusServiceUnavailable || got.reason != "web_chat_busy" {
		t.Errorf("%+v", got)
	}
	cancel()
	for range most {
		<-answered
	}
	azure.misbehave(nil)
	last.must(example)
}

// TestTooManyCalls: the calls that wait for Direct Line are bounded, and the next one does not wait for them.
func TestTooManyCalls(t *testing.T) {
	const most = 16
	azure := newAzure(t)
	azure.misbehave(hangs)
	door, other := open(t, azure.URL), open(t, azure.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answered := make(chan opened)
	for range most {
		go func() { answered <- door.callWithin(ctx, example) }()
	}
	poll.Until(t, "the calls to Direct Line", func() bool { return azure.called() == most })
	for _, body := range []string{example, `{"token":"hidden"}`} {
		if got := door.call(body); got.status != http.StatusServiceUnavailable || got.reason != "web_chat_busy" {
			t.Errorf("%+v", got)
		}
	}
	if got := door.call("no JSON"); got.status != http.StatusBadRequest {
		t.Errorf("a call that needs no place: %+v", got)
	}
	azure.misbehave(nil)
	other.must(example)
	cancel()
	for range most {
		<-answered
	}
	door.must(example)
}

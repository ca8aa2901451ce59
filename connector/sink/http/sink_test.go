package httpsink

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

const patience = time.Minute

func exampleEvent(t *testing.T) event.Event {
	t.Helper()
	body, err := os.ReadFile("testdata/xbot_example.json")
	if err != nil {
		t.Fatal(err)
	}
	return event.Event{
		ID:           event.ID{0xab, 31: 0xcd},
		Channel:      "chat/shop",
		Source:       "/zalo/2553928453557884079/3662729599332560487",
		Type:         "vn.zalo.oa.user_send_text",
		Subject:      "6142494823xxxxxxxx",
		Conversation: "3662729599332560487 Chào",
		Time:         time.UnixMilli(1699003881354),
		ContentType:  "application/json",
		Body:         body,
	}
}

func newSink(t *testing.T, c Settings) *Sink {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = config.Duration(patience)
	}
	s, err := New(c, sink.Environment{Concurrency: 8}, func() time.Time { return testNow })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// listen starts a server that ends with the test.
func listen(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestSendWritesTheCloudEvent(t *testing.T) {
	var got *http.Request
	var body []byte
	server := listen(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	e := exampleEvent(t)
	s := newSink(t, Settings{URL: server.URL + "/events?to=bot", Headers: []Header{
		{Name: "authorization", Secret: config.NewSecret("Bearer abc")},
		{Name: "X-Team", Secret: config.NewSecret("a")},
	}})

	if err := s.Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}

	want := http.Header{
		"Content-Type":    {"application/json"},
		"Content-Length":  {strconv.Itoa(len(e.Body))},
		"User-Agent":      {"xbot-channel-connector"},
		"Authorization":   {"Bearer abc"},
		"X-Team":          {"a"},
		"Ce-Specversion":  {"1.0"},
		"Ce-Id":           {"ab" + strings.Repeat("0", 60) + "cd"},
		"Ce-Source":       {"/zalo/2553928453557884079/3662729599332560487"},
		"Ce-Type":         {"vn.zalo.oa.user_send_text"},
		"Ce-Subject":      {"6142494823xxxxxxxx"},
		"Ce-Time":         {"2023-11-03T09:31:21.354Z"},
		"Ce-Partitionkey": {"3662729599332560487%20Ch%C3%A0o"},
		"Ce-Channel":      {"chat/shop"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got.Method != http.MethodPost || got.RequestURI != "/events?to=bot" {
		t.Errorf("got %s %s", got.Method, got.RequestURI)
	}
	if diff := cmp.Diff(string(e.Body), string(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestSendLeavesAbsentAttributesOut(t *testing.T) {
	var got http.Header
	server := listen(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	e := exampleEvent(t)
	e.Subject, e.Conversation, e.ContentType, e.Body = "", "", "", nil

	if err := newSink(t, Settings{URL: server.URL}).Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{headerSubject, headerPartitionKey, headerContentType} {
		if values, ok := got[name]; ok {
			t.Errorf("%s is sent as %q, want it left out", name, values)
		}
	}
}

// TestSendStatesTheMediaType as it is: CloudEvents maps it to the header without an encoding.
func TestSendStatesTheMediaType(t *testing.T) {
	var got http.Header
	server := listen(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	s := newSink(t, Settings{URL: server.URL})
	for _, want := range []string{`multipart/form-data; boundary="a b%20"`, "application/json"} {
		e := exampleEvent(t)
		e.ContentType = want
		if err := s.Send(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want}, got["Content-Type"]); diff != "" {
			t.Errorf("Content-Type (-want +got):\n%s", diff)
		}
	}
}

func TestSendSignsForStandardWebhooks(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	receiver, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	e := exampleEvent(t)
	var id, timestamp string
	var verified error
	server := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		id, timestamp = r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
		body, _ := io.ReadAll(r.Body)
		verified = receiver.VerifyIgnoringTimestamp(body, r.Header)
	})
	signing := config.NewSecret(secret)

	if err := newSink(t, Settings{URL: server.URL, SigningSecret: &signing}).Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if verified != nil {
		t.Errorf("signature: %v", verified)
	}
	if id != e.ID.String() || timestamp != strconv.FormatInt(testNow.Unix(), 10) {
		t.Errorf("webhook-id %q, webhook-timestamp %q", id, timestamp)
	}
}

func TestSendJudgesTheAnswer(t *testing.T) {
	tomorrow := testNow.AddDate(0, 0, 1) // is what the sink's clock shows
	tests := map[string]struct {
		status     int
		retryAfter string
		want       error
	}{
		"200": {status: 200},
		"202": {status: 202},
		"204": {status: 204},
		"301": {status: 301, want: &sink.Failed{Class: "status", Reason: "HTTP 301"}},
		"308": {status: 308, want: &sink.Failed{Class: "status", Reason: "HTTP 308"}},
		"400": {status: 400, want: &sink.Refused{Reason: "HTTP 400"}},
		"401": {status: 401, want: &sink.Failed{Class: "status", Reason: "HTTP 401"}},
		"404": {status: 404, want: &sink.Failed{Class: "status", Reason: "HTTP 404"}},
		"408": {status: 408, want: &sink.Failed{Class: "status", Reason: "HTTP 408"}},
		"413": {status: 413, want: &sink.Refused{Reason: "HTTP 413"}},
		"429": {status: 429, retryAfter: "7", want: &sink.Failed{Class: "status", Reason: "HTTP 429", RetryAfter: 7 * time.Second}},
		"500": {status: 500, want: &sink.Failed{Class: "status", Reason: "HTTP 500"}},
		"503 with a date": {
			status: 503, retryAfter: tomorrow.Add(time.Minute).Format(http.TimeFormat),
			want: &sink.Failed{Class: "status", Reason: "HTTP 503", RetryAfter: time.Minute},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			elsewhere := listen(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
			server := listen(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", elsewhere.URL)
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
					w.Header().Set("Date", tomorrow.Format(http.TimeFormat))
				}
				w.WriteHeader(tt.status)
			})
			err := newSink(t, Settings{URL: server.URL}).Send(t.Context(), exampleEvent(t))
			if diff := cmp.Diff(tt.want, err); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// answerRaw starts a server that reads one request of each connection, writes exactly answer and closes.
func answerRaw(t *testing.T, answer string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

func TestSendMeetsBrokenAnswers(t *testing.T) {
	tests := map[string]struct{ answer, class string }{
		"body cut short is taken": {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", ""},
		"broken chunks are taken": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ""},
		"headers cut short":       {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", "connection"},
		"a header cut short":      {"HTTP/1.1 200 OK\r\nContent-Le", "protocol"},
		"no answer":               {"", "connection"},
		"garbage":                 {"6142494823 says hello\r\n\r\n", "protocol"},
		"a body in the way":       {"HTTP/1.1 20x\r\n\r\n", "protocol"},
		"endless headers":         {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxAnswerHeader) + "\r\n\r\n", "protocol"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSink(t, Settings{URL: "http://" + answerRaw(t, tt.answer)})
			expectClass(t, s.Send(t.Context(), exampleEvent(t)), tt.class)
		})
	}
}

// expectClass checks the class of a failure, "" for none, and that its text holds nothing of the URL's query, the event
// or the answer.
func expectClass(t *testing.T, err error, class string) {
	t.Helper()
	if class == "" {
		if err != nil {
			t.Fatalf("got %v, want the event to be taken", err)
		}
		return
	}
	failed, ok := errors.AsType[*sink.Failed](err)
	if !ok || failed.Class != class {
		t.Fatalf("got %v, want a failure of class %q", err, class)
	}
	for _, private := range []string{"token", "6142494823", "3662729599332560487"} {
		if strings.Contains(failed.Reason, private) {
			t.Errorf("reason %q tells %q", failed.Reason, private)
		}
	}
	t.Log(failed.Reason)
}

func TestSendMeetsNobody(t *testing.T) {
	s := newSink(t, Settings{URL: "http://" + reserved.Address(t) + "/?token=abc"})
	expectClass(t, s.Send(t.Context(), exampleEvent(t)), "connection")
}

func TestSendMeetsUnknownName(t *testing.T) {
	s := newSink(t, Settings{URL: "http://sink.invalid/?token=abc"})
	expectClass(t, s.Send(t.Context(), exampleEvent(t)), "connection")
}

func TestSendGivesUpOnSlowSink(t *testing.T) {
	server := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	s := newSink(t, Settings{URL: server.URL + "/?token=abc", Timeout: config.Duration(50 * time.Millisecond)})
	expectClass(t, s.Send(t.Context(), exampleEvent(t)), "timeout")
}

func TestSendEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	s := newSink(t, Settings{URL: server.URL + "/?token=abc"})
	expectClass(t, s.Send(ctx, exampleEvent(t)), "canceled")
}

func TestNewRefusesBrokenSigningSecret(t *testing.T) {
	signing := config.NewSecret("%%private")
	_, err := New(Settings{SigningSecret: &signing}, sink.Environment{Concurrency: 1}, time.Now)
	if err == nil || !strings.Contains(err.Error(), "signingSecret") || strings.Contains(err.Error(), "private") {
		t.Errorf("got %v, want an error about signingSecret that does not quote it", err)
	}
}

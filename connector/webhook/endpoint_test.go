package webhook

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/echo"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// echoing is a channel of the type echo, with a word of its own.
func echoing(name, word, key string) Channel {
	s := &echo.Settings{WordSecret: config.NewSecret(word)}
	return newChannel(func(c *Channel) {
		c.Name, c.Path, c.Keys, c.Enforces, c.MaxBodySize = name, "/echo", digests(key), false, 1<<20
		c.Type = s.Open(name, channel.Environment{})
	})
}

const (
	echoWord, otherWord = "Xin chào anna", "Xin chào bert"
	echoes              = "/echoes/back"
	withKey             = "?" + keyParameter + "=" + key
)

// TestEndpoints: an endpoint answers POST calls with an API key of a channel that has it, in its own shape. Nothing is
// stored, and everything is counted.
func TestEndpoints(t *testing.T) {
	const notAllowed, handshake = "method not allowed", "/echo" + withKey + "&word=Xin%20ch%C3%A0o%20anna&challenge=7f"
	large := strings.Repeat("x", echo.MaxEndpointBody+1)
	for name, tt := range map[string]struct {
		method, target, key, word, body string
		status                          int
		answer, allow                   string
		ignored, refused, stranger      string
	}{
		"with the key in the URL":   {"POST", echoes + withKey, "", echoWord, "hello", 200, "hello", "", "echoed", "", ""},
		"with the key in a header":  {"POST", echoes, key, echoWord, "hello", 200, "hello", "", "echoed", "", ""},
		"with a slash":              {"POST", echoes + "/" + withKey, "", echoWord, "hello", 200, "hello", "", "echoed", "", ""},
		"without a body":            {"POST", echoes + withKey, "", echoWord, "", 200, "", "", "echoed", "", ""},
		"with the largest body":     {"POST", echoes + withKey, "", echoWord, large[1:], 200, large[1:], "", "echoed", "", ""},
		"another channel's":         {"POST", echoes, otherKey, otherWord, "hello", 200, "hello", "", "", "", ""},
		"another channel's word":    {"POST", echoes + withKey, "", otherWord, "hello", 403, "403 this is not the word\n", "", "", "word", ""},
		"with a larger body":        {"POST", echoes + withKey, "", echoWord, large, 413, "413 body is larger than", "", "", "too_large", ""},
		"without a key":             {"POST", echoes, "", echoWord, "hello", 401, "API key missing or wrong", "", "", "", "key"},
		"with an unknown key":       {"POST", echoes, "unknown", echoWord, "hello", 401, "API key missing or wrong", "", "", "", "key"},
		"the key of another type":   {"POST", echoes, "zalo", echoWord, "hello", 401, "API key missing or wrong", "", "", "", "key"},
		"GET":                       {"GET", echoes + withKey + "&challenge=1", "", echoWord, "", 405, notAllowed, "POST", "", "method", ""},
		"HEAD":                      {"HEAD", echoes + withKey, "", echoWord, "", 405, "", "POST", "", "method", ""},
		"GET without a key":         {"GET", echoes, "", echoWord, "", 405, notAllowed, "POST", "", "", "method"},
		"a browser's preflight":     {"OPTIONS", echoes + withKey, "", echoWord, "", 405, notAllowed, "POST", "", "", "method"},
		"PUT":                       {"PUT", echoes + withKey, "", echoWord, "hello", 405, notAllowed, "POST", "", "", "method"},
		"a path below":              {"POST", echoes + "/x" + withKey, "", echoWord, "hello", 404, "has this path", "", "", "", "unknown_path"},
		"the platform's path":       {"POST", "/echo" + withKey, "", "", "1 anna hello", 200, "200 accepted\n", "", "", "", ""},
		"the handshake":             {"GET", handshake, "", "", "", 200, "7f", "", "url_check", "", ""},
		"the other platform's path": {"POST", path, "zalo", "", "", 200, `"message":"ready"`, "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil, echoing("chat/anna", echoWord, key), echoing("chat/bert", otherWord, otherKey),
				newChannel(func(c *Channel) { c.Name, c.Keys = "chat/zalo", digests("zalo") }))
			call := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			call.Header = http.Header{canonicalKeyHeader: {tt.key}, echo.WordHeader: {tt.word}}
			w := f.do(call)
			if tt.method == http.MethodHead {
				w.Body.Reset() // net/http sends none
			}
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.answer) || w.Header().Get("Allow") != tt.allow {
				t.Errorf("%d %q, Allow %q, want %d %q", w.Code, w.Body, w.Header().Get("Allow"), tt.status, tt.answer)
			}
			for reason, counted := range map[string]int{
				tt.ignored: int(f.metrics.Of("chat/anna").Ignored.Of(tt.ignored)), tt.refused: f.refused("chat/anna", tt.refused),
				tt.stranger: f.refused("", tt.stranger),
			} {
				if reason != "" && counted != 1 {
					t.Errorf("%d are counted as %s", counted, reason)
				}
			}
			if stored := len(f.inbox.stored()); stored > 0 != (name == "the platform's path") {
				t.Errorf("%d events are stored", stored)
			}
		})
	}
}

// TestEndpointsUseAPIKeys: a key that only an endpoint's callers have is no unused one. A call that the endpoint refuses
// uses none, and none says that the platform calls.
func TestEndpointsUseAPIKeys(t *testing.T) {
	for word, uses := range map[string]bool{otherWord: false, echoWord: true} {
		f := newFixture(t, nil, echoing("chat/anna", echoWord, key))
		call := httptest.NewRequest(http.MethodPost, echoes+withKey, http.NoBody)
		call.Header.Set(echo.WordHeader, word)
		f.do(call)
		seen := f.Traffic("chat/anna")
		if used := seen.APIKeys[digests(key)[0]]; used.IsZero() == uses || !seen.LastAuthentic.IsZero() {
			t.Errorf("%s: used at %s, authentic at %s", word, used, seen.LastAuthentic)
		}
	}
}

// ended is a channel type whose endpoint answers as a test says.
type ended struct {
	scripted

	serve func(ctx context.Context, header http.Header, body []byte) (channel.Answer, channel.Reason)
}

func (e ended) Endpoints() []channel.Endpoint {
	return []channel.Endpoint{{Path: echoes, MaxBodySize: 1 << 10, Serve: e.serve}}
}

// serving is a channel with such an endpoint.
func serving(serve func(context.Context, http.Header, []byte) (channel.Answer, channel.Reason), change ...func(*Channel)) Channel {
	return newChannel(append(change, func(c *Channel) { c.Type = ended{serve: serve} })...)
}

// An endpoint's refusals are its own. Whoever is to try again is told when.
func TestAnswersOfEndpoints(t *testing.T) {
	for status, want := range map[int]int{200: 200, 204: 204, 400: 400, 401: 401, 502: 502, 503: 503, 0: 503, 99: 503, 1000: 503} {
		f := newFixture(t, nil, serving(func(context.Context, http.Header, []byte) (channel.Answer, channel.Reason) {
			return channel.Answer{Status: status, ContentType: "text/x-said", Body: []byte("said")}, "some_reason"
		}))
		w := f.do(httptest.NewRequest(http.MethodPost, echoes+withKey, http.NoBody))
		if w.Code != want || w.Header().Get("Content-Type") != "text/x-said" || (w.Header().Get("Retry-After") != "") != (want == 503) {
			t.Errorf("%d: answered %d %v", status, w.Code, w.Header())
		}
		ignored, refused := int(f.metrics.Of("chat/shop").Ignored.Of("some_reason")), f.refused("chat/shop", "some_reason")
		if ignored+refused != 1 || (refused == 1) != (want >= 300) {
			t.Errorf("%d: counted %d times as ignored, %d times as refused", status, ignored, refused)
		}
	}
}

// An endpoint may wait until the time of its channel's type is over.
func TestTimeOfEndpoints(t *testing.T) {
	for _, limit := range []time.Duration{50 * time.Millisecond, channel.MaxAnswerIn} {
		begin := time.Now()
		f := newFixture(t, nil, serving(func(ctx context.Context, _ http.Header, _ []byte) (channel.Answer, channel.Reason) {
			if deadline, ok := ctx.Deadline(); !ok || deadline.Before(begin.Add(limit)) || deadline.After(time.Now().Add(limit)) {
				t.Errorf("the time is over after %s, want %s", deadline.Sub(begin), limit)
			}
			return channel.Answer{Status: http.StatusOK}, "in_time"
		}, func(c *Channel) { c.AnswerIn = limit }))
		f.do(httptest.NewRequest(http.MethodPost, echoes+withKey, http.NoBody))
	}
}

// A body that does not come, or not whole, never reaches the endpoint.
func TestBodiesOfEndpoints(t *testing.T) {
	f := newFixture(t, nil, serving(func(context.Context, http.Header, []byte) (channel.Answer, channel.Reason) {
		t.Error("the endpoint was called")
		return channel.Answer{}, ""
	}, func(c *Channel) { c.AnswerIn = 100 * time.Millisecond }))
	target := f.serve(t)
	for name, tt := range map[string]struct {
		sent, reason string
		status       int
		ends         bool
	}{
		"none":            {"Content-Length: 5\r\n\r\n", "timeout", 503, false},
		"a part":          {"Content-Length: 5\r\n\r\nabc", "timeout", 503, false},
		"one cut short":   {"Content-Length: 5\r\n\r\nabc", "aborted", 400, true},
		"a broken coding": {"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "aborted", 400, false},
		"one too large":   {"Content-Length: 1025\r\n\r\n", "too_large", 413, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := f.refused("chat/shop", tt.reason)
			connection, answers, _ := dial(t, target)
			sendf(t, connection, "POST %s HTTP/1.1\r\nHost: h\r\n%s", echoes+withKey, tt.sent)
			if tt.ends {
				if err := connection.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			contentType, refused := response.Header.Get("Content-Type"), f.refused("chat/shop", tt.reason)-before
			if response.StatusCode != tt.status || contentType != "text/x-said" || refused != 1 {
				t.Errorf("answered %d %s, want %d; %d counted as %s", response.StatusCode, contentType, tt.status, refused, tt.reason)
			}
		})
	}
}

// Calls that wait in an endpoint hold places as others do: they are bounded, and leave some to other channels.
func TestPlacesOfEndpoints(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	waits := func(context.Context, http.Header, []byte) (channel.Answer, channel.Reason) {
		entered <- struct{}{}
		<-leave
		return channel.Answer{Status: http.StatusOK}, "waited"
	}
	const places = 18
	f := newFixture(t, func(o *Options) { o.MaxInFlight = places }, serving(waits),
		newChannel(func(c *Channel) { c.Name, c.Keys = "chat/other", digests(otherKey) }))
	answered := make(chan int)
	for range places - 2 {
		go func() { answered <- f.do(httptest.NewRequest(http.MethodPost, echoes+withKey, http.NoBody)).Code }()
		<-entered
	}
	if w := f.do(httptest.NewRequest(http.MethodPost, echoes+withKey, http.NoBody)); w.Code != 503 || f.refused("chat/shop", "busy") != 1 {
		t.Errorf("one too many: %d", w.Code)
	}
	if w := f.do(httptest.NewRequest(http.MethodPost, path+"?"+keyParameter+"="+otherKey, bytes.NewReader(nil))); w.Code != 200 {
		t.Errorf("another channel: %d", w.Code)
	}
	close(leave)
	for range places - 2 {
		if status := <-answered; status != http.StatusOK {
			t.Error(status)
		}
	}
}

// TestEndpointsLeavePlacesToPlatforms: whatever is called where, the calls of endpoints together leave a ninth of the
// places to platforms, which may send no call again.
func TestEndpointsLeavePlacesToPlatforms(t *testing.T) {
	const places = 9
	for _, count := range []int{1, 4} {
		entered, leave := make(chan struct{}, places), make(chan struct{})
		waits := func(context.Context, http.Header, []byte) (channel.Answer, channel.Reason) {
			entered <- struct{}{}
			<-leave
			return channel.Answer{Status: http.StatusOK}, "waited"
		}
		var channels []Channel
		for i := range count {
			channels = append(channels, serving(waits, func(c *Channel) { c.Name, c.Keys = fmt.Sprint("chat/", i), digests(fmt.Sprint(i)) }))
		}
		f := newFixture(t, func(o *Options) { o.MaxInFlight = places }, channels...)
		visit := func(i int, to string) int {
			return f.do(httptest.NewRequest(http.MethodPost, fmt.Sprintf("%s?%s=%d", to, keyParameter, i%count), http.NoBody)).Code
		}
		answered := make(chan int, places)
		for i := range places - 1 {
			go func() { answered <- visit(i, echoes) }()
			<-entered
		}
		go func() { answered <- visit(0, echoes) }()
		select {
		case status := <-answered:
			if status != http.StatusServiceUnavailable {
				t.Errorf("%d channels: one too many is answered %d", count, status)
			}
		case <-entered:
			t.Errorf("%d channels: endpoints have all places", count)
		}
		if status := visit(0, path); status != http.StatusOK {
			t.Errorf("%d channels: the platform is answered %d", count, status)
		}
		close(leave)
		for range places - 1 {
			<-answered
		}
	}
}

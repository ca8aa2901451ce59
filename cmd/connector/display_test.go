package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
)

func testEvent() event.Event {
	return event.Event{
		ID:           event.ID{1},
		Channel:      "chat/shop",
		Source:       "/zalo/1/2",
		Type:         "vn.zalo.oa.user_send_text",
		Subject:      "Chào 100%",
		Conversation: "2/\x1b[31mred\n",
		Time:         time.UnixMilli(1699003881354),
		ContentType:  "application/json",
		Body:         []byte(`{"text":"Chào <b>` + "\u009b" + `"}`),
	}
}

// startDisplay runs the command until the test ends and returns its URL, and a function that ends it and returns its
// exit code and output.
func startDisplay(t *testing.T, format string) (url string, end func() (code int, stdout string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	announcement, stderr := io.Pipe()
	var stdout bytes.Buffer
	ended := make(chan int, 1)
	root := newTestRoot(&stdout, stderr, "display", "--address=127.0.0.1:0", "--format", format)
	go func() { ended <- execute(ctx, root) }()
	line, err := bufio.NewReader(announcement).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url = regexp.MustCompile(`http://[0-9.:]+`).FindString(line)
	return url, func() (int, string) {
		cancel()
		_ = announcement.Close() // whatever is written now has no reader
		return <-ended, stdout.String()
	}
}

// deliver sends e as the connector does.
func deliver(t *testing.T, url string, e event.Event) {
	t.Helper()
	s, err := httpsink.New(httpsink.Settings{URL: url, Timeout: config.Duration(10 * time.Second)}, sink.Environment{Concurrency: 1}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func TestDisplayPrintsJSON(t *testing.T) {
	url, end := startDisplay(t, "auto")
	deliver(t, url, testEvent())
	other := testEvent()
	other.Body = []byte("no JSON")
	deliver(t, url, other)
	code, stdout := end()
	if code != exitOK {
		t.Errorf("exit %d", code)
	}

	first, second, _ := strings.Cut(stdout, "\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(first), &got); err != nil {
		t.Fatalf("%v in %s", err, first)
	}
	want := map[string]any{
		"specversion": "1.0", "id": event.ID{1}.String(), "source": "/zalo/1/2", "type": "vn.zalo.oa.user_send_text",
		"subject": "Chào 100%", "partitionkey": "2/\x1b[31mred\n", "channel": "chat/shop",
		"time": "2023-11-03T09:31:21.354Z", "datacontenttype": "application/json",
		"data": map[string]any{"text": "Chào <b>\u009b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(second, `"data_base64":"bm8gSlNPTg=="`) {
		t.Errorf("second line: %s", second)
	}
}

func TestDisplayPrintsTextThatCannotSteerTheTerminal(t *testing.T) {
	url, end := startDisplay(t, "text")
	deliver(t, url, testEvent())
	_, stdout := end()
	for _, want := range []string{"vn.zalo.oa.user_send_text\n", "Chào 100%\n", `2/\x1b[31mred\n`, `"text": "Chào <b>\u009b"`} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in:\n%s", want, stdout)
		}
	}
	if strings.ContainsAny(stdout, "\x1b\u009b") {
		t.Errorf("control characters reach the terminal: %q", stdout)
	}
}

func TestDisplayRefusesWhatIsNoEvent(t *testing.T) {
	var printed bytes.Buffer
	server := httptest.NewServer(&display{out: &printed, print: printJSON})
	defer server.Close()
	tests := map[string]struct {
		method string
		header map[string]string
		want   int
	}{
		"no attributes": {"POST", nil, 400},
		"no type":       {"POST", map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/"}, 400},
		"GET":           {"GET", nil, 405},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != tt.want || printed.String() != "" {
				t.Errorf("HTTP %d, want %d; printed %q", resp.StatusCode, tt.want, printed.String())
			}
		})
	}
}

func TestDisplayOnTakenAddress(t *testing.T) {
	url, end := startDisplay(t, "json")
	code, _, stderr := run(t, "display", "--address", strings.TrimPrefix(url, "http://"))
	if code != exitFailure || !strings.Contains(stderr, "in use") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	end()
}

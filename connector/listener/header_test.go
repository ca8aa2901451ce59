package listener

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// lines are n header lines that are all different.
func lines(n int, ending string) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "h%d:%s", i, ending)
	}
	return text.String()
}

func TestHeadersAreBounded(t *testing.T) {
	for _, tc := range []struct {
		name, header, reason string
		status               int
	}{
		{"usual", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "", 200},
		{"as many lines as allowed", "GET / HTTP/1.1\r\nHost: h\r\n" + lines(99, "\r\n") + "\r\n", "", 200},
		{"a line more", "GET / HTTP/1.1\r\nHost: h\r\n" + lines(100, "\r\n") + "\r\n", "header_lines", 431},
		{"tiny lines without end", "GET / HTTP/1.1\r\nHost: h\r\n" + lines(2000, "\n"), "header_lines", 431},
		{"as large as allowed", "GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("a", 8<<10-32) + "\r\n\r\n", "", 200},
		{"a byte more", "GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("a", 8<<10-31) + "\r\n\r\n", "header_size", 431},
		{"one line without end", "GET /" + strings.Repeat("a", 20<<10), "header_size", 431},
		{"nothing but line ends", strings.Repeat("\r\n", 10<<10), "header_size", 431},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, nil)
			c := s.dial()
			c.sends(tc.header)
			status, body := c.gets()
			if status != tc.status || (status != 200 && !strings.Contains(body, `"status":"1"`)) {
				t.Errorf("%d %s", status, body)
			}
			if tc.reason != "" {
				poll.Until(t, "its count", func() bool { return s.closed(tc.reason) == 1 })
			}
		})
	}
}

// The refusal of a header that came ahead of its time is no answer to the call before it.
func TestARefusalComesAfterTheAnswerBeforeIt(t *testing.T) {
	for name, header := range map[string]string{
		"400": "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"431": "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("k:\n", limits.HeaderLines+1),
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, nil).dial()
			c.sends("POST /ahead HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}" + header)
			if status, body := c.gets(); status != 200 || body != "/ahead 2" {
				t.Errorf("the call got %d %q", status, body)
			}
			if status, _ := c.gets(); strconv.Itoa(status) != name {
				t.Errorf("the header after it got %d", status)
			}
		})
	}
}

// A caller with a key cannot send more in its further headers.
func TestLaterHeadersAreBounded(t *testing.T) {
	for reason, header := range map[string]string{
		"header_lines":     lines(101, "\n"),
		"header_size":      "A: " + strings.Repeat("a", 9<<10),
		"ambiguous_length": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		s := serve(t, nil)
		c := s.dial()
		for range 3 {
			if status := c.asks("/verified"); status != 200 {
				t.Fatalf("%d", status)
			}
		}
		c.sends("POST /verified HTTP/1.1\r\nHost: h\r\n" + header)
		if status, _ := c.gets(); status/100 != 4 {
			t.Errorf("%s: %d", reason, status)
		}
		if s.closed(reason) != 1 || !c.wasClosed() {
			t.Errorf("%s: not counted once, or still open", reason)
		}
	}
}

// All bytes before a key are bounded together, those of the body too.
func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	s := serve(t, nil)
	for path, want := range map[string]int{"/": 400, "/key": 200, "/verified": 200} {
		c := s.dial()
		c.sends("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n")
		c.sends(strings.Repeat("b", 50_000))
		if status, body := c.gets(); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// Two lengths of one body are what request smuggling is made of: net/http drops the Content-Length, and a proxy in
// front may go by it.
func TestTransferEncodingBesideContentLengthIsRefused(t *testing.T) {
	const chunked, length = "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n"
	for _, tc := range []struct {
		name, version, header string
		status                int
	}{
		{"length first", "1.1", length + chunked, 400},
		{"length last", "1.1", chunked + length, 400},
		{"in other letters", "1.1", "cOnTENT-lENGTH:5\nTRANSFER-ENCODING:\tChunked\n", 400},
		{"length 0", "1.1", "Content-Length: 0\r\n" + chunked, 400},
		{"far apart", "1.1", length + lines(50, "\r\n") + chunked, 400},
		{"HTTP/1.0", "1.0", length + chunked, 400},
		{"chunks in HTTP/1.0", "1.0", chunked, 400},
		{"other coding", "1.1", "Transfer-Encoding: gzip, chunked\r\n", 400},
		{"twice chunked", "1.1", chunked + chunked, 400},
		{"two lengths", "1.1", length + "Content-Length: 6\r\n", 400},
		{"signed length", "1.1", "Content-Length: +5\r\n", 400},
		{"list of lengths", "1.1", "Content-Length: 5, 5\r\n", 400},
		{"no length", "1.1", "Content-Length:\r\n", 400},
		{"folded coding", "1.1", "Transfer-Encoding:\r\n chunked\r\n" + length, 400},
		{"folded length", "1.1", "Content-Length: 5\r\n 0\r\n", 400},
		{"same length twice", "1.1", length + length, 200},
		{"folded other line", "1.1", "A: b\r\n c\r\n" + length, 200},
		{"length alone", "1.1", length, 200},
		{"chunks alone", "1.1", chunked, 200},
	} {
		for _, path := range []string{"/", "/verified"} {
			s := serve(t, nil)
			c := s.dial()
			body := "hello"
			if strings.Contains(strings.ToLower(tc.header), "chunked") {
				body = "5\r\nhello\r\n0\r\n\r\n"
			}
			c.sends("POST " + path + " HTTP/" + tc.version + "\r\nHost: h\r\n" + tc.header + "\r\n" + body)
			status, answer := c.gets()
			if status != tc.status || (status == 200 && answer != path+" 5") {
				t.Errorf("%s %s: %d %s", tc.name, path, status, answer)
			}
			if status == 400 && (!c.wasClosed() || s.closed("ambiguous_length") != 1) {
				t.Errorf("%s %s: not counted, or still open", tc.name, path)
			}
		}
	}
}

// dealt is a connection that brings content in portions.
type dealt struct {
	net.Conn

	content []byte
	portion int
}

func (d *dealt) Read(p []byte) (int, error) {
	if len(d.content) == 0 {
		return 0, io.EOF
	}
	n := copy(p, d.content[:min(d.portion, len(d.content))])
	d.content = d.content[n:]
	return n, nil
}

func (*dealt) Write(p []byte) (int, error) { return len(p), nil }

func (*dealt) SetWriteDeadline(time.Time) error { return nil }

// request is what a handler sees of one.
type request struct {
	Method, URI, Body string
	Lines             int
}

// requests reads as net/http's server does, until something is wrong. At the begin of every request, aligned is asked.
func requests(reader *bufio.Reader, aligned func() bool) (seen []request, ok bool) {
	for {
		if !aligned() {
			return seen, false
		}
		if len(seen) > 0 && seen[len(seen)-1].Method == http.MethodPost {
			peeked, _ := reader.Peek(4)
			_, _ = reader.Discard(len(peeked) - len(bytes.TrimLeft(peeked, "\r\n")))
		}
		r, err := http.ReadRequest(reader)
		if err != nil {
			return seen, true
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return seen, true
		}
		seen = append(seen, request{r.Method, r.RequestURI, string(body), len(r.Header)})
	}
}

// Whatever is sent, a header that net/http reads was seen as one before, and what it reads is what it would have read
// without the Listener.
func FuzzNoHeaderPassesUnseen(f *testing.F) {
	const tail = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, head := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\nHost: h\nContent-Length: 5\n\nhello\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\nX: y\n\nGET /in HTTP/1.1\r\nContent-Length: 60\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000005\r\nhello\r\n000\r\n\r\n",
		"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\t\r\nContent-Length : 4\r\n\r\nbody",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhello",
	} {
		f.Add([]byte(head+tail), 7)
		f.Add([]byte(head+tail), 4096)
	}
	metrics := telemetry.New(prometheus.NewRegistry())
	f.Fuzz(func(t *testing.T, content []byte, portion int) {
		if portion < 1 || bytes.Contains(content, []byte("100-continue")) {
			return
		}
		c := &Conn{Conn: &dealt{content: content, portion: portion}, listener: &Listener{options: Options{Limits: limits, Metrics: metrics}}}
		c.raw = c.Conn
		c.keyShown.Store(true)
		reader := bufio.NewReader(c)
		got, ok := requests(reader, func() bool { return reader.Buffered() == 0 && c.left == 0 && !c.chunks.open })
		if !ok {
			t.Errorf("net/http begins a header that was not seen as one")
		}
		want, _ := requests(bufio.NewReader(bytes.NewReader(content)), func() bool { return true })
		if len(got) > len(want) {
			t.Fatalf("%d requests, %d without the listener", len(got), len(want))
		}
		diff := cmp.Diff(want[:len(got)], got, cmp.Transformer("empty", func(r []request) []request { return append([]request{}, r...) }))
		if diff != "" {
			t.Errorf("requests (-without the listener +with it):\n%s", diff)
		}
	})
}

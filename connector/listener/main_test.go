package listener

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var limits = Limits{Connections: 16, HeaderSize: 8 << 10, HeaderLines: 100}

// served is a server behind a Listener, until the test ends.
type served struct {
	t       *testing.T
	address string
	metrics *telemetry.Metrics
	// log is what net/http logged.
	log *strings.Builder
}

// serve answers 200 with the class that the path names, which the connection has then: /key, /verified; anything else
// shows nothing.
func serve(t *testing.T, change func(*Options)) *served {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, address: inner.Addr().String(), metrics: telemetry.New(prometheus.NewRegistry()), log: &strings.Builder{}}
	o := Options{Name: "test", Limits: limits, Metrics: s.metrics}
	if change != nil {
		change(&o)
	}
	server := &http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: FirstHeaderTimeout}
	done := make(chan error)
	go func() { done <- New(inner, o).Serve(server) }()
	t.Cleanup(func() {
		_ = server.Shutdown(context.Background())
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func answer(w http.ResponseWriter, call *http.Request) {
	conn := FromContext(call.Context())
	switch call.URL.Path {
	case "/key":
		conn.ShowKey()
	case "/verified":
		conn.Verify()
	case "/unread":
		return
	}
	body, err := io.ReadAll(call.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
	if call.URL.Path == "/ahead" {
		// net/http reads ahead, and cancels the call at the connection's end.
		<-call.Context().Done()
	}
	fmt.Fprintf(w, "%s %d", call.URL.Path, len(body))
}

// caller is one connection.
type caller struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func (s *served) dial() *caller {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return &caller{s.t, conn, bufio.NewReader(conn)}
}

// sends writes; the connection may be closed already.
func (c *caller) sends(text string) { _, _ = io.WriteString(c, text) }

// gets reads one answer; status is 0 when the connection ends.
func (c *caller) gets() (status int, body string) {
	c.t.Helper()
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	content, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(content)
}

// asks makes a call of a path.
func (c *caller) asks(path string) int {
	c.t.Helper()
	c.sends("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
	status, _ := c.gets()
	return status
}

// wasClosed reports whether the connection ended without an answer.
func (c *caller) wasClosed() bool {
	_, err := c.answers.ReadByte()
	return err != nil
}

func (s *served) closed(reason string) int {
	return value(s.metrics.ConnectionsClosed.WithLabelValues("test", reason))
}

func (s *served) open(class class) int {
	return value(s.metrics.Connections.WithLabelValues("test", classNames[class]))
}

func (s *served) awaitsOpen(class class, n int) {
	s.t.Helper()
	poll.Until(s.t, fmt.Sprintf("%d connections that showed %s", n, classNames[class]), func() bool { return s.open(class) == n })
}

// value is the value of a counter or gauge.
func value(metric prometheus.Metric) int {
	var read dto.Metric
	if err := metric.Write(&read); err != nil {
		panic(err)
	}
	return int(read.GetCounter().GetValue() + read.GetGauge().GetValue())
}

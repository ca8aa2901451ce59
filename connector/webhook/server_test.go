package webhook

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
)

// dial opens a connection to the host of target and returns it with target's path and query.
func dial(t *testing.T, target string) (*net.TCPConn, *bufio.Reader, string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection.(*net.TCPConn), bufio.NewReader(connection), u.RequestURI()
}

// signedCall is a whole call: URI, signature, size of the body, body.
const signedCall = "POST %s HTTP/1.1\r\nHost: h\r\nX-ZEvent-Signature: %s\r\nContent-Length: %d\r\n\r\n%s"

func sendf(t *testing.T, w io.Writer, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, r *bufio.Reader) (*http.Response, said) {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response, readReply(t, response.Body)
}

func TestBodySizes(t *testing.T) {
	const limit = 1000
	f := newFixture(t, nil, newChannel(func(c *Channel) { c.MaxBodySize = limit }))
	target := f.serve(t)
	client := newClient(t)
	for _, chunked := range []bool{false, true} {
		for _, tc := range []struct{ size, want int }{
			{0, 200}, {64, 200}, {65, 400}, {limit - 1, 400}, {limit, 400}, {limit + 1, 413}, {20 * limit, 413}, {400 * limit, 413},
		} {
			var body io.Reader = bytes.NewReader(bytes.Repeat([]byte(" "), tc.size))
			if chunked {
				body = struct{ io.Reader }{body}
			}
			if response, _ := post(t, client, target, body, wellFormed); response.StatusCode != tc.want {
				t.Errorf("chunked %v, %d bytes: %d", chunked, tc.size, response.StatusCode)
			}
		}
	}
	if f.refused("chat/shop", "too_large") != 6 {
		t.Errorf("%d counted", f.refused("chat/shop", "too_large"))
	}
}

// A body just as large as allowed is stored whole.
func TestLargestBodyIsStoredWhole(t *testing.T) {
	body, signature := message("m")
	for _, chunked := range []bool{false, true} {
		f := newFixture(t, nil, newChannel(func(c *Channel) { c.MaxBodySize = int64(len(body)) }))
		target := f.serve(t)
		var reader io.Reader = bytes.NewReader(body)
		if chunked {
			reader = struct{ io.Reader }{reader}
		}
		post(t, newClient(t), target, reader, signature)
		if stored := f.inbox.stored(); len(stored) != 1 || !bytes.Equal(stored[0].Body, body) {
			t.Errorf("chunked %v: %d stored", chunked, len(stored))
		}
	}
}

// A probe may be as large as an empty object with some white space, signed or not; a larger one is a call like any
// other.
func TestOnlyASmallBodyIsAProbe(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	target := f.serve(t)
	for _, tc := range []struct {
		size      int
		signature string
		want      int
	}{
		{64, "", 200},
		{64, wellFormed, 200},
		{65, "", 401},
		{65, wellFormed, 400},
		{1 << 20, "", 401},
		{1 << 20, wellFormed, 400},
	} {
		blanks := bytes.Repeat([]byte(" \n\r\t"), tc.size/4+1)[:tc.size]
		for _, body := range []io.Reader{bytes.NewReader(blanks), struct{ io.Reader }{bytes.NewReader(blanks)}} {
			if response, _ := post(t, newClient(t), target, body, tc.signature); response.StatusCode != tc.want {
				t.Errorf("%d bytes, signature %q: %d, want %d", tc.size, tc.signature, response.StatusCode, tc.want)
			}
		}
	}
	if n := int(f.metrics.Of("chat/shop").Ignored.Of(answerProbe.reason)); n != 4 {
		t.Errorf("%d probes", n)
	}
}

// A body that is announced as too large is refused before it is sent.
func TestTooLargeAtOnce(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	target := f.serve(t)
	connection, reader, uri := dial(t, target)
	sendf(t, connection, "POST %s HTTP/1.1\r\nHost: h\r\nX-ZEvent-Signature: %s\r\nContent-Length: 999999999999\r\n\r\n", uri, wellFormed)
	if response, _ := receive(t, reader); response.StatusCode != 413 {
		t.Errorf("%d", response.StatusCode)
	}
}

func TestPipelinedAndChunkedCalls(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	target := f.serve(t)
	connection, reader, uri := dial(t, target)
	first, firstSignature := message("1")
	second, secondSignature := message("2")
	var calls bytes.Buffer
	sendf(t, &calls, signedCall, uri, firstSignature, len(first), first)
	sendf(t, &calls, "POST %s HTTP/1.1\r\nHost: h\r\nX-ZEvent-Signature: %s\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n",
		uri, secondSignature)
	for len(second) > 0 {
		n := min(7, len(second))
		sendf(t, &calls, "%x;extension=1\r\n%s\r\n", n, second[:n])
		second = second[n:]
	}
	sendf(t, &calls, "0\r\nX-A: b\r\n\r\nPOST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", uri)
	sendf(t, &calls, "GET %s HTTP/1.1\r\nHost: h\r\n\r\nPUT %s HTTP/1.1\r\nHost: h\r\n\r\n", uri, uri)
	sendf(t, connection, "%s", calls.String())
	for i, want := range []int{200, 200, 200, 200, 405} {
		if response, _ := receive(t, reader); response.StatusCode != want {
			t.Errorf("answer %d: %d, want %d", i, response.StatusCode, want)
		}
	}
	if n := len(f.inbox.stored()); n != 2 {
		t.Errorf("%d stored", n)
	}
}

// Only a caller with a key keeps its connection: idle ones are a bounded good.
func TestStrangersKeepNoConnection(t *testing.T) {
	z := zaloOA()
	z.DomainVerification.Codes = []string{"code"}
	f := newFixture(t, nil, newChannel(func(c *Channel) { c.Type = opened(c.Name, z) }))
	target := f.serve(t)
	body, signature := message("m")
	for _, tc := range []struct {
		call   string
		status int
		stays  bool
	}{
		{fmt.Sprintf(signedCall, path+"?"+keyParameter+"="+otherKey, signature, len(body), body), 401, false},
		{"POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 401, false},
		{"POST /elsewhere HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 404, false},
		{"GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n", 405, false},
		{"GET /zalo_verifiercode.html HTTP/1.1\r\nHost: h\r\n\r\n", 200, false},
		{fmt.Sprintf(signedCall, path+"?"+keyParameter+"="+key, wellFormed, len(body), body), 401, true},
		{"GET " + path + "?" + keyParameter + "=" + key + " HTTP/1.1\r\nHost: h\r\n\r\n", 200, true},
	} {
		connection, reader, _ := dial(t, target)
		sendf(t, connection, "%s", tc.call)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != tc.status || response.Close == tc.stays {
			t.Errorf("%.40q: %d, close %v", tc.call, response.StatusCode, response.Close)
		}
		// The next call on the connection finds it closed, or is answered.
		_, _ = io.WriteString(connection, tc.call)
		_, err = reader.ReadByte()
		if (err == nil) != tc.stays {
			t.Errorf("%.40q: a second call: %v", tc.call, err)
		}
	}
}

func TestBrokenChunks(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	target := f.serve(t)
	connection, reader, uri := dial(t, target)
	sendf(t, connection, "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", uri)
	if response, _ := receive(t, reader); response.StatusCode != 400 {
		t.Errorf("%d", response.StatusCode)
	}
}

func TestCallerHangsUpWithinTheBody(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	target := f.serve(t)
	connection, reader, uri := dial(t, target)
	sendf(t, connection,
		"POST %s HTTP/1.1\r\nHost: h\r\nX-ZEvent-Signature: %s\r\nContent-Length: 100\r\n\r\n{\"event_name\":", uri, wellFormed)
	if err := connection.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if response, _ := receive(t, reader); response.StatusCode != 400 {
		t.Errorf("%d", response.StatusCode)
	}
	if f.refused("chat/shop", "aborted") != 1 || len(f.inbox.stored()) != 0 {
		t.Error("not counted as aborted, or stored")
	}
}

// The event is real, whether or not the caller waits for the answer.
func TestCallerHangsUpBeforeTheAnswer(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	f.inbox.block = make(chan struct{})
	target := f.serve(t)
	connection, _, uri := dial(t, target)
	body, signature := message("m")
	sendf(t, connection, signedCall, uri, signature, len(body), body)
	<-f.inbox.entered
	if err := connection.SetLinger(0); err != nil { // closing resets
		t.Fatal(err)
	}
	connection.Close()
	close(f.inbox.block)
	eventually(t, "the event", func() bool { return len(f.inbox.stored()) == 1 })
}

// pipes is a listener without a network, so that time is the test's own.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	connection, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return connection, nil
}

func (p pipes) Close() error { close(p); return nil }

func (pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// A call is answered 1.8 s after its arrival at the latest, whatever is slow.
func TestAnswersInTime(t *testing.T) {
	body, signature := message("m")
	for _, tc := range []struct {
		name, key string
		sent      int
		reason    string
		channel   string
		status    int
		after     time.Duration
	}{
		{"slow body", key, 20, "timeout", "chat/shop", 503, answerWithin},
		{"body that never comes", key, 0, "timeout", "chat/shop", 503, answerWithin},
		{"a stranger's slow body", otherKey, 20, "key", "", 401, 0},
		{"slow inbox", key, len(body), "timeout", "chat/shop", 503, answerWithin},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil, newChannel())
				f.inbox.block = make(chan struct{})
				listener := make(pipes)
				server := NewServer(f.Handler, testLimits, f.log)
				done := make(chan error)
				go func() { done <- server.Serve(listener) }()
				caller, served := net.Pipe()
				listener <- served
				began := time.Now()
				sendf(t, caller, signedCall, path+"?"+keyParameter+"="+tc.key, signature, len(body), body[:tc.sent])
				response, got := receive(t, bufio.NewReader(caller))
				if response.StatusCode != tc.status || got.Status != "1" || f.refused(tc.channel, tc.reason) != 1 {
					t.Errorf("%d %+v", response.StatusCode, got)
				}
				if after := time.Since(began); after != tc.after {
					t.Errorf("answered after %v", after)
				}
				caller.Close()
				if err := server.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// newCertificate makes a self-signed certificate of the given serial number.
func newCertificate(t *testing.T, serial int64) *tls.Certificate {
	t.Helper()
	cert, key := certificate.New(t, serial)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

func TestCertificateIsReplacedWithoutARestart(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	old := newCertificate(t, 1)
	server, address, served := f.start(t, old)
	for _, current := range []*tls.Certificate{old, newCertificate(t, 2)} {
		server.UseCertificate(current)
		roots := x509.NewCertPool()
		roots.AddCert(current.Leaf)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: certificate.Name}, ForceAttemptHTTP2: true}
		response, got := post(t, &http.Client{Transport: transport},
			strings.Replace(urlOn(address), "http:", "https:", 1), strings.NewReader("{}"), "")
		if response.StatusCode != 200 || got.Status != "0" || response.ProtoMajor != 1 {
			t.Errorf("serial %v: %d over %s", current.Leaf.SerialNumber, response.StatusCode, response.Proto)
		}
		transport.CloseIdleConnections()
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// broken is a channel type with a defect.
type broken struct{ channel.Channel }

func (broken) Read(time.Time, http.Header, []byte) (channel.Reading, *channel.Refusal) {
	panic("defect")
}

// A panic costs one call: no answer, no place kept, and the log says why.
func TestPanicCostsOneCall(t *testing.T) {
	logs := make(chan string, 1)
	f := newFixture(t, func(o *Options) { o.MaxInFlight = 1 }, newChannel(func(c *Channel) { c.Type = broken{c.Type} }))
	f.log = funcr.New(func(_, args string) { logs <- args }, funcr.Options{})
	target := f.serve(t)
	for range 3 {
		response, err := newClient(t).Post(target, "application/json", strings.NewReader("{}"))
		if err == nil {
			response.Body.Close()
			t.Fatalf("answered %d", response.StatusCode)
		}
		if line := <-logs; !strings.Contains(line, "defect") || strings.Contains(line, key) {
			t.Errorf("logged %q", line)
		}
	}
	if n := value(f.metrics.InFlight); n != 0 || f.refused("chat/shop", "busy") != 0 {
		t.Errorf("%d in flight", n)
	}
}

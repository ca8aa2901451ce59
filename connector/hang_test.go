package connector_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"xbot.a4b.vn/channel-connector/connector"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// rawSink answers each connection's first request by text, and by more of it again and again, until the connector has
// gone.
func rawSink(t *testing.T, text, again string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serve := func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		_, _ = conn.Read(make([]byte, 64<<10))
		_, err := io.WriteString(conn, text)
		for err == nil && again != "" {
			<-time.After(time.Millisecond)
			_, err = io.WriteString(conn, again)
		}
		_, _ = io.Copy(io.Discard, conn)
	}
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return "http://" + listener.Addr().String()
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

// hangingSinks are what a sink can do to an attempt that has no time-out to speak of.
var hangingSinks = map[string]struct{ text, again string }{
	"nothing":               {"", ""},
	"switching":             {switching, ""},
	"switching-for-ever":    {switching, "frame"},
	"informational":         {"", "HTTP/1.1 102 Processing\r\n\r\n"},
	"headers":               {"HTTP/1.1 200 OK\r\n", "X: y\r\n"},
	"body-of-a-refusal":     {"HTTP/1.1 503 Busy\r\nContent-Length: 999999\r\n\r\n", "y"},
	"pause-of-an-hour":      {"HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n", ""},
	"chunks-without-an-end": {"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\ny\r\n"},
}

// hold opens a connection, sends text, reads nothing, and keeps it open until the test ends.
func hold(t *testing.T, network, address, text string) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// TestNothingThatHangsKeepsTheProcess: sinks of every bad kind, callers that send half, and readers of every listener
// that do not read, all at once.
func TestNothingThatHangsKeepsTheProcess(t *testing.T) {
	t.Parallel()
	s := newSettings(t)
	s.stop = "drainDelay: 100ms, gracePeriod: 8s"
	for name, behaviour := range hangingSinks {
		s.channels = append(s.channels, channelSettings{
			name: name, sink: rawSink(t, behaviour.text, behaviour.again), http: "timeout: 1h",
			zalo: fmt.Sprintf(`appID: %q, signature: {secretKeys: [{value: %s}]}`, app, secret),
		})
	}
	r := start(t, s.write(t))
	for _, c := range s.channels {
		for n := range 4 {
			r.call(message{c.name, fmt.Sprint(n), fmt.Sprint("m-", n)})
		}
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nxp-api-key: %s\r\n%s: %s\r\n",
		pushPath, keyOf("nothing"), zalo.SignatureHeader, signatureOf([]byte("{")))
	for _, half := range []string{
		"", "POST ", head, head + "Content-Length: 100\r\n\r\n{", head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
	} {
		hold(t, "tcp", r.address.Webhook, half)
	}
	for _, path := range []string{"/metrics", "/readyz"} {
		hold(t, "tcp", r.address.Metrics, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		hold(t, "tcp", r.address.Metrics, "GET "+path)
	}
	hold(t, "unix", r.address.Admin, "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
	hold(t, "unix", r.address.Admin, "POST /v1/redrive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")

	if err := r.stop(); err != nil { // it is one if the grace period did not do
		t.Errorf("Run returned %v", err)
	}
}

// TestASinkThatSwitchesProtocolsFailsLikeAnyOther: its attempts end and are counted, and another sink gets the events.
func TestASinkThatSwitchesProtocolsFailsLikeAnyOther(t *testing.T) {
	t.Parallel()
	s := newSettings(t, channelSettings{name: shopA, sink: rawSink(t, switching, ""), http: "timeout: 1h"})
	r := start(t, s.write(t))
	for n := range 3 {
		r.call(message{shopA, fmt.Sprint(n), fmt.Sprint("m-", n)})
	}
	poll.Until(t, "the failures in the log", func() bool { return strings.Contains(r.logged(), "HTTP 101") })
	good := newReceiver(t)
	s.channels[0].sink = good.URL
	s.write(t)
	good.awaits(t, 3)
}

// hangingDisk is a disk whose fsyncs do not return while it hangs.
type hangingDisk struct {
	mu     sync.Mutex
	hangs  chan struct{} // closed when it goes on; nil while it works
	stuck  chan struct{} // a token for the first fsync that hangs
	listed sync.Once
}

func (d *hangingDisk) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
	default:
		return nil
	}
	d.mu.Lock()
	hangs := d.hangs
	d.mu.Unlock()
	if hangs != nil {
		d.listed.Do(func() { close(d.stuck) })
		<-hangs
	}
	return nil
}

func (d *hangingDisk) String() string { return "hanging disk" }

// hang lets fsyncs hang until goOn is called.
func (d *hangingDisk) hang() (goOn func()) {
	hangs := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = hangs
	return sync.OnceFunc(func() {
		d.mu.Lock()
		d.hangs = nil
		d.mu.Unlock()
		close(hangs)
	})
}

// TestADiskThatHangsDoesNotKeepTheProcess: the grace period ends the process, with an error that names the disk, and
// what was acknowledged is there after it.
func TestADiskThatHangsDoesNotKeepTheProcess(t *testing.T) {
	t.Parallel()
	held := newGate(t)
	sink := newReceiver(t)
	sink.answers(held.answer)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	s.stop = "drainDelay: 0s, gracePeriod: 8s"
	disk := &hangingDisk{stuck: make(chan struct{})}
	connector.SetDisk(filepath.Join(s.folder, "inbox"), errorfs.Wrap(vfs.Default, disk))
	r := start(t, s.write(t))
	for n := range 5 {
		r.call(message{shopA, "1", fmt.Sprint("m-", n)})
	}
	goOn := disk.hang()
	t.Cleanup(goOn)
	body := message{shopA, "2", "m-late"}.body()
	if status, _, err := r.postRaw(body, signatureOf(body), "?param.header.xp-api-key="+keyOf(shopA)); err != nil ||
		status != http.StatusServiceUnavailable {
		t.Errorf("a call during the hang: %d, %v", status, err)
	}
	<-disk.stuck

	err := r.stop()
	if err == nil || !strings.Contains(err.Error(), "the inbox and its disk") {
		t.Errorf("Run returned %v, want an error that names the disk", err)
	}
	if !strings.Contains(r.logged(), "without an orderly stop") {
		t.Error("the log does not say so")
	}
	// What the files hold now is what a process finds that starts after this one has ended.
	next := *s
	next.folder = t.TempDir()
	if err := os.CopyFS(filepath.Join(next.folder, "inbox"), os.DirFS(filepath.Join(s.folder, "inbox"))); err != nil {
		t.Fatal(err)
	}
	held.release()
	second := start(t, next.write(t))
	second.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	if n := len(sink.count()); n < 5 {
		t.Errorf("%d of 5 acknowledged events arrived", n)
	}
}

package crash

import (
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// TestDiskFull fills the inbox's disk while the sink hangs: calls are answered 503, deliveries go on once the sink is
// back, and then calls are accepted again, all in one life of the process.
func TestDiskFull(t *testing.T) {
	const disk = 128 << 20
	path := t.TempDir()
	if err := mount(path, disk); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(path); err != nil {
			t.Error(err)
		}
	})
	s := newSink(t, 0)
	s.kind.Store(true)
	c := newConnector(t, s.url, filepath.Join(path, "inbox"), "256Mi")
	c.start()
	c.ready()
	t.Cleanup(c.Kill) // before the disk is unmounted
	f := &filler{t: t, url: c.pushURL()}
	t.Cleanup(f.client.CloseIdleConnections)
	for range 2 {
		s.gate.Lock()
		f.fill()
		s.gate.Unlock()
		c.drained()
		c.eventually("calls are accepted again", func() bool { return f.post() == http.StatusOK })
	}
	c.drained()
	if got := c.status(); got.Accepted != f.acknowledged.Load() || got.Taken != got.Accepted {
		t.Errorf("%d accepted and %d taken of %d acknowledged", got.Accepted, got.Taken, f.acknowledged.Load())
	}
	c.stop()
}

// filler posts large messages, each in a conversation of its own.
type filler struct {
	t                  *testing.T
	url                string
	client             http.Client
	sent, acknowledged atomic.Int64
}

// fill posts until the connector refuses.
func (f *filler) fill() {
	before := f.acknowledged.Load()
	var posts sync.WaitGroup
	for range 16 {
		posts.Go(func() {
			for f.post() == http.StatusOK {
			}
		})
	}
	posts.Wait()
	f.t.Logf("full after %d events", f.acknowledged.Load()-before)
}

// post posts a message of 32 KiB, which compression makes no smaller than half.
func (f *filler) post() (status int) {
	m := traffic.Message{Conversation: int(f.sent.Add(1))}
	random := make([]byte, 16<<10)
	_, _ = rand.NewChaCha8([32]byte{byte(m.Conversation), byte(m.Conversation >> 8)}).Read(random) // it never fails
	req, err := traffic.ZaloOA.NewRequest(f.t.Context(), f.url, keys, m, time.Now(), hex.EncodeToString(random))
	if err != nil {
		f.t.Error(err)
		return 0
	}
	resp, err := f.client.Do(req)
	if err != nil {
		f.t.Errorf("no answer: %v", err)
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		f.t.Error(err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		f.acknowledged.Add(1)
	case http.StatusServiceUnavailable:
		if resp.Header.Get("Retry-After") == "" {
			f.t.Error("503 without Retry-After")
		}
	default:
		f.t.Errorf("answered %d", resp.StatusCode)
	}
	return resp.StatusCode
}

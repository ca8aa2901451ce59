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
)

// TestDiskFull fills the inbox's disk while the sink hangs: calls are answered
// 503, deliveries go on once the sink is back, and then calls are accepted
// again, all in one life of the process.
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
	c := newConnector(t, s.URL, filepath.Join(path, "inbox"), "256Mi")
	c.start()
	c.ready()
	t.Cleanup(c.process.Kill) // before the disk is unmounted
	l := newLoad(t, c.pushURL())
	var next atomic.Int64
	for range 2 {
		s.gate.Lock()
		fill(l, &next)
		s.gate.Unlock()
		c.drained()
		c.eventually("calls are accepted again", func() bool { return l.postLarge(&next) == http.StatusOK })
	}
	c.drained()
	if got := c.status(); got.Accepted != l.acknowledged[0].Load() || got.Taken != got.Accepted {
		t.Errorf("%d accepted and %d taken of %d acknowledged", got.Accepted, got.Taken, l.acknowledged[0].Load())
	}
	c.stop()
}

// fill posts until the connector refuses.
func fill(l *load, next *atomic.Int64) {
	before := l.acknowledged[0].Load()
	var posts sync.WaitGroup
	for range 16 {
		posts.Go(func() {
			for l.postLarge(next) == http.StatusOK {
			}
		})
	}
	posts.Wait()
	l.t.Logf("full after %d events", l.acknowledged[0].Load()-before)
}

// postLarge posts a message of 32 KiB in a conversation of its own; all count
// as acknowledged by the first.
func (l *load) postLarge(next *atomic.Int64) (status int) {
	m := message{int(next.Add(1)), 0}
	random := make([]byte, 16<<10)
	_, _ = rand.NewChaCha8([32]byte{byte(m.conversation), byte(m.conversation >> 8)}).Read(random) // it never fails
	req, err := newRequest(l.t.Context(), l.url, m, hex.EncodeToString(random))
	if err != nil {
		l.t.Error(err)
		return 0
	}
	resp, err := l.client.Do(req)
	if err != nil {
		l.t.Errorf("no answer: %v", err)
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		l.t.Error(err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		l.acknowledged[0].Add(1)
	case http.StatusServiceUnavailable:
		if resp.Header.Get("Retry-After") == "" {
			l.t.Error("503 without Retry-After")
		}
	default:
		l.t.Errorf("answered %d", resp.StatusCode)
	}
	return resp.StatusCode
}

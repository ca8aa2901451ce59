package connector_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// TestALargerBoundIsTakenRunning: a full inbox takes events again once its file names a larger size, without a restart.
// Each call meanwhile is answered 200 or 503, and each event that was answered 200 is delivered.
func TestALargerBoundIsTakenRunning(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	held := newGate(t)
	sink.answers(held.answer)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	r := start(t, s.write(t))
	f := &flood{running: r, accepted: map[string]bool{}}
	bound := func(size string) {
		t.Helper()
		r.awaitReload("applied", func() { put(t, s.path(), strings.Replace(s.yaml(), "maxSize: 64Mi", "maxSize: "+size, 1)) })
	}
	f.until("full", http.StatusServiceUnavailable)
	bound("128Mi")
	r.counts("inbox_size_limit_bytes", 128<<20)
	f.until("taken at the larger bound", http.StatusOK)
	r.awaitsReport("room", func(got report.Report) bool {
		return got.Inbox.State == report.InboxOK && got.Inbox.LimitBytes == 128<<20
	})
	bound("64Mi") // less than it holds
	f.until("full at the smaller bound", http.StatusServiceUnavailable)
	r.awaitsReport("a full inbox", func(got report.Report) bool {
		return got.Inbox.State == report.InboxFull && got.Inbox.LimitBytes == 64<<20
	})
	during := f.load()
	bound("1Gi")
	f.until("taken again", http.StatusOK)
	during()
	held.release()
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	taken := sink.count()
	for id := range f.accepted {
		if taken[id] == 0 {
			t.Errorf("event %s was answered 200 and not delivered", id)
		}
	}
	r.counts(`config_reloads_total{result="refused"}`, 0)
}

// flood are events, each a new one.
type flood struct {
	*running
	mu       sync.Mutex
	next     int
	accepted map[string]bool
}

// send sends the next event, and returns the status of the answer.
func (f *flood) send(body func(n int) []byte) int {
	f.t.Helper()
	f.mu.Lock()
	f.next++
	n := f.next
	f.mu.Unlock()
	event := body(n)
	status, _, err := f.postRaw(event, signatureOf(event), "?param.header.xp-api-key="+keyOf(shopA))
	if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
		f.t.Errorf("event %d: %d, %v", n, status, err)
	}
	if status == http.StatusOK {
		f.mu.Lock()
		f.accepted[fmt.Sprint("large-", n)] = true
		f.mu.Unlock()
	}
	return status
}

// until sends large events until one is answered with a status.
func (f *flood) until(what string, status int) {
	f.t.Helper()
	poll.Until(f.t, what, func() bool { return f.send(largeMessage) == status })
}

// load sends small events until the function that it returns is called, or the test ends.
func (f *flood) load() (end func()) {
	stop := make(chan struct{})
	var calls sync.WaitGroup
	calls.Go(func() {
		often := time.NewTicker(time.Millisecond)
		defer often.Stop()
		for {
			select {
			case <-stop:
				return
			case <-often.C:
				f.send(func(n int) []byte { return message{shopA, "2", fmt.Sprint("large-", n)}.body() })
			}
		}
	})
	end = sync.OnceFunc(func() { close(stop); calls.Wait() })
	f.t.Cleanup(end)
	return end
}

package connector_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// caller is a platform's endpoint that posts one message after the other.
type caller struct {
	r    *running
	name string
	// accepted are the messages that were answered 200, failures what was answered anything else.
	accepted []string
	failures []string
	// calls and closing count the calls, and those of them that were asked to close the connection.
	calls, closing int
}

// next posts one message with the given key.
func (c *caller) next(key string) {
	id := fmt.Sprintf("%s-%05d", c.name, c.calls)
	c.calls++
	status, closing, err := c.r.post(message{shopA, c.name, id}, key)
	if err != nil || status != http.StatusOK {
		c.failures = append(c.failures, fmt.Sprintf("%s: %d, %v", id, status, err))
		return
	}
	c.accepted = append(c.accepted, id)
	if closing {
		c.closing++
	}
}

// well reports whether every call was accepted; callers end at the first that was not.
func (c *caller) well() bool { return len(c.failures) == 0 }

// load runs callers side by side, each its own way, and returns a function that waits for them.
func load(r *running, n int, each func(*caller)) (wait func() []*caller) {
	callers := make([]*caller, n)
	var running sync.WaitGroup
	for i := range callers {
		callers[i] = &caller{r: r, name: fmt.Sprint("caller-", i)}
		running.Go(func() { each(callers[i]) })
	}
	return func() []*caller {
		running.Wait()
		return callers
	}
}

// delivered checks that every accepted message was taken, in its caller's order.
func delivered(t *testing.T, callers []*caller, sinks ...*receiver) {
	t.Helper()
	for _, c := range callers {
		if len(c.failures) > 0 || len(c.accepted) == 0 {
			t.Errorf("%s: %d accepted, failures %v", c.name, len(c.accepted), c.failures)
		}
		var taken []string
		for _, sink := range sinks {
			taken = append(taken, sink.ids()[c.name]...)
		}
		if got := slices.Compact(taken); !slices.Equal(got, c.accepted) {
			t.Errorf("%s: accepted %d, the sink took %d, in order %v", c.name, len(c.accepted), len(got), slices.IsSorted(got))
		}
	}
}

func TestStopUnderLoadFailsNoCallAndLosesNothing(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	s.stop = "drainDelay: 3s, gracePeriod: 20s"
	path := s.write(t)
	r := start(t, path)

	var warm sync.WaitGroup
	warm.Add(8)
	var unready atomic.Bool
	wait := load(r, 8, func(c *caller) {
		for range 20 {
			c.next(keyOf(shopA))
		}
		warm.Done()
		for !unready.Load() && c.well() {
			c.next(keyOf(shopA))
		}
		// Endpoints take a moment to hear of it.
		for before := c.closing; c.closing < before+3 && c.well(); {
			c.next(keyOf(shopA))
		}
	})
	warm.Wait()
	r.cancel()
	poll.Until(t, "readiness fails", func() bool {
		code, body, err := r.get("/readyz")
		return err == nil && code == http.StatusServiceUnavailable && strings.Contains(body, "not ready")
	})
	if code, _, err := r.get("/healthz"); err != nil || code != http.StatusOK {
		t.Errorf("liveness while draining: %d, %v", code, err)
	}
	unready.Store(true)
	callers := wait()
	if err := r.wait(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	for _, c := range callers {
		if c.closing < 3 {
			t.Errorf("%s: %d of %d calls were asked to close", c.name, c.closing, c.calls)
		}
	}
	if err := start(t, path).stopWhenEmpty(); err != nil { // what was left pending
		t.Error(err)
	}
	delivered(t, callers, sink)
}

// stopWhenEmpty waits until nothing is pending and stops.
func (r *running) stopWhenEmpty() error {
	r.t.Helper()
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	return r.stop()
}

// gate holds deliveries up until it is opened.
type gate struct{ held, open chan struct{} }

func newGate(t *testing.T) *gate {
	g := &gate{held: make(chan struct{}, 1000), open: make(chan struct{})}
	t.Cleanup(g.release)
	return g
}

func (g *gate) release() {
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

func (g *gate) answer(w http.ResponseWriter, a attempt) {
	g.held <- struct{}{}
	select {
	case <-g.open:
	case <-a.gone:
		w.WriteHeader(http.StatusGatewayTimeout) // nobody reads it
	}
}

// refusesCalls waits until the webhook's listener is closed.
func (r *running) refusesCalls() {
	r.t.Helper()
	poll.Until(r.t, "the webhook's listener is closed", func() bool {
		conn, err := net.Dial("tcp", r.address.Webhook)
		if err == nil {
			_ = conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}

func TestKeepFinishesTheAttemptUnderWayAndNoMore(t *testing.T) {
	t.Parallel()
	sink, g := newReceiver(t), newGate(t)
	sink.answers(g.answer)
	path := newSettings(t, channelSettings{name: shopA, sink: sink.URL, delivery: "concurrency: 1"}).write(t)
	r := start(t, path)
	for n := range 3 {
		r.call(message{shopA, fmt.Sprint(n), fmt.Sprint("m-", n)})
	}
	<-g.held
	r.cancel()
	r.refusesCalls()
	// A monitor sees the process to its end.
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200} {
		if code, _, err := r.get(path); err != nil || code != want {
			t.Errorf("%s while the last attempt runs: %d, %v", path, code, err)
		}
	}
	r.counts("delivery_in_flight_attempts", 1)
	g.release()
	if err := r.wait(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if n := len(sink.takenSoFar()); n != 1 {
		t.Errorf("%d events were taken during the stop, want the one under way", n)
	}
	if _, _, err := r.get("/healthz"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the probes after the end: %v", err)
	}
	if err := start(t, path).stopWhenEmpty(); err != nil {
		t.Error(err)
	}
	for id, n := range sink.count() {
		if n != 1 {
			t.Errorf("%s was taken %d times", id, n)
		}
	}
	if n := len(sink.count()); n != 3 {
		t.Errorf("%d of 3 events were taken", n)
	}
}

func TestDeliverEmptiesTheInboxBeforeItEnds(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	sink.answers(status(http.StatusBadGateway))
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	s.stop = "drainDelay: 0s, gracePeriod: 20s, pending: Deliver"
	r := start(t, s.write(t))
	for n := range 40 {
		r.call(message{shopA, fmt.Sprint(n % 8), fmt.Sprintf("m-%02d", n)})
	}
	r.cancel()
	r.refusesCalls()
	sink.answers(nil)
	if err := r.wait(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if n := len(sink.count()); n != 40 {
		t.Errorf("%d of 40 events were taken before the end", n)
	}
	if strings.Contains(r.logged(), "not delivered") {
		t.Error("the log speaks of events that were not delivered")
	}
}

func TestDeliverTellsWhatItAbandons(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	sink.answers(status(http.StatusBadGateway))
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	s.stop = "drainDelay: 0s, gracePeriod: 8s, pending: Deliver"
	path := s.write(t)
	r := start(t, path)
	for n := range 5 {
		r.call(message{shopA, fmt.Sprint(n), fmt.Sprint("m-", n)})
	}
	attempted := sink.attempted()
	if err := r.stop(); err != nil { // it is one if the grace period did not do
		t.Errorf("Run returned %v", err)
	}
	if sink.attempted() <= attempted {
		t.Error("no attempt was made during the grace period")
	}
	if !strings.Contains(r.logged(), `"channel":"chat/a","events":5`) {
		t.Error("the log does not tell of 5 events")
	}
	sink.answers(nil)
	if err := start(t, path).stopWhenEmpty(); err != nil { // the inbox outlived the stop here
		t.Error(err)
	}
	if n := len(sink.count()); n != 5 {
		t.Errorf("%d of 5 events were taken after the restart", n)
	}
}

func TestNothingThatHangsOutlastsTheGracePeriod(t *testing.T) {
	t.Parallel()
	sink, g := newReceiver(t), newGate(t)
	sink.answers(g.answer)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	s.stop = "drainDelay: 0s, gracePeriod: 8s"
	path := s.write(t)
	r := start(t, path)
	r.call(message{shopA, "1", "m-1"})
	<-g.held

	slow, err := net.Dial("tcp", r.address.Webhook)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	_, err = fmt.Fprintf(slow, "POST %s HTTP/1.1\r\nHost: x\r\nxp-api-key: %s\r\n%s: %s\r\nContent-Length: 100\r\n\r\n{",
		pushPath, keyOf(shopA), zalo.SignatureHeader, signatureOf([]byte("{")))
	if err != nil {
		t.Fatal(err)
	}
	r.awaits("webhook_in_flight_calls", 1)
	if err := r.stop(); err != nil { // it is one if the grace period did not do
		t.Errorf("Run returned %v", err)
	}
	answer, err := io.ReadAll(slow)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 503") {
		t.Errorf("the slow caller was answered %q, %v", answer, err)
	}
	g.release()
	if err := start(t, path).stopWhenEmpty(); err != nil {
		t.Error(err)
	}
	if n := sink.attempted(); n != 2 {
		t.Errorf("%d attempts, want the one that was cut short and one after the restart", n)
	}
}

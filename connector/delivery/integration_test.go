package delivery_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/delivery"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/sink/each"
	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

const shop = "chat/shop"

// bot is a real HTTP service that keeps what it takes, by conversation.
type bot struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(w http.ResponseWriter, id string) int // 0: breaks the connection
	calls  int
	taken  map[string][]string
}

func newBot(t *testing.T) *bot {
	t.Helper()
	b := &bot{taken: make(map[string][]string)}
	b.setAnswer(http.StatusOK)
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	id, conversation := r.Header.Get("ce-id"), r.Header.Get("ce-partitionkey")
	status := b.answer(w, id)
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	if status < 300 {
		b.taken[conversation] = append(b.taken[conversation], id)
	}
	w.WriteHeader(status)
}

func (b *bot) setAnswer(statuses ...int) {
	b.answerWith(func(_ http.ResponseWriter, _ string) int { return statuses[b.calls%len(statuses)] })
}

func (b *bot) answerWith(answer func(w http.ResponseWriter, id string) int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

func (b *bot) count() (calls, taken int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ids := range b.taken {
		taken += len(ids)
	}
	return b.calls, taken
}

// process is what one run of the connector has for delivering.
type process struct {
	t          *testing.T
	inbox      *pebble.Inbox
	dispatcher *delivery.Dispatcher
}

func start(t *testing.T, folder string, b *bot) *process {
	t.Helper()
	metrics := telemetry.New(prometheus.NewRegistry())
	in, err := pebble.Open(pebble.Options{
		Path: folder, MaxSize: 1 << 30, DeduplicationWindow: 24 * time.Hour, Metrics: metrics, Log: logr.Discard(),
		Fatal: func(cause error) { panic(cause) },
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, inbox: in, dispatcher: delivery.New(in, 64, 64<<20, metrics, logr.Discard())}
	const concurrency = 16
	err = p.dispatcher.Use(t.Context(), []delivery.Channel{{
		Name:       shop,
		SinkDigest: b.URL,
		Open: func() (sink.Sink, error) {
			s, err := httpsink.New(httpsink.Settings{URL: b.URL, Timeout: config.Duration(time.Minute)},
				sink.Environment{Concurrency: concurrency}, time.Now)
			return each.Sink(s), err
		},
		Delivery: config.Delivery{
			Concurrency:         concurrency,
			DeadLetterRetention: config.Duration(time.Hour),
			Retry: config.Retry{
				InitialBackoff: config.Duration(2 * time.Millisecond),
				MaxBackoff:     config.Duration(20 * time.Millisecond),
				MaxAge:         config.Duration(time.Hour),
			},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// accept stores count events in each of some conversations, taking turns, and returns their ids by conversation.
func (p *process) accept(conversations, count int) map[string][]string {
	p.t.Helper()
	ids := make(map[string][]string)
	for n := range count {
		for c := range conversations {
			lane := fmt.Sprintf("conversation-%d", c)
			e := event.Event{
				ID: event.ID{byte(c), byte(n), 1}, Channel: shop, Source: "/zalo/1/2", Type: "vn.zalo.oa.user_send_text",
				Conversation: lane, Time: time.Now(), Body: []byte(`{"event_name":"user_send_text"}`),
			}
			if _, err := p.inbox.Accept(p.t.Context(), []event.Event{e}); err != nil {
				p.t.Fatal(err)
			}
			ids[lane] = append(ids[lane], e.ID.String())
		}
	}
	return ids
}

func (p *process) drain() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	if err := p.dispatcher.Drain(ctx); err != nil {
		p.t.Fatalf("Drain: %v", err)
	}
	if stats, err := p.inbox.Stats(p.t.Context(), shop); err != nil || stats.Pending != 0 {
		p.t.Errorf("after Drain: %d pending, %v", stats.Pending, err)
	}
}

// stop ends the process; with a context that is over, attempts are cut short.
func (p *process) stop(ctx context.Context) {
	p.t.Helper()
	_ = p.dispatcher.Stop(ctx)
	if err := p.inbox.Close(); err != nil {
		p.t.Error(err)
	}
}

func TestSinkDownThenBack(t *testing.T) {
	b := newBot(t)
	b.setAnswer(http.StatusServiceUnavailable, 0, http.StatusFound, http.StatusUnauthorized)
	p := start(t, t.TempDir(), b)
	defer p.stop(t.Context())
	want := p.accept(20, 10)
	poll.Until(t, "every conversation was tried a few times", func() bool { calls, _ := b.count(); return calls > 100 })
	b.setAnswer(http.StatusAccepted)
	p.drain()
	if diff := cmp.Diff(want, b.taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if s := p.dispatcher.Status(shop); s.InFlight != 0 || s.LastError == "" || s.LastTakenAt.IsZero() {
		t.Errorf("status %+v", s)
	}
}

func TestRestartInTheMiddle(t *testing.T) {
	b := newBot(t)
	b.setAnswer(http.StatusOK, http.StatusBadGateway, http.StatusOK, 0)
	folder := t.TempDir()
	p := start(t, folder, b)
	want := p.accept(20, 20)
	for _, mark := range []int{50, 150, 250} {
		poll.Until(t, fmt.Sprintf("%d events were taken", mark), func() bool { _, taken := b.count(); return taken >= mark })
		over, cancel := context.WithCancel(t.Context())
		cancel()
		p.stop(over)
		p = start(t, folder, b)
	}
	defer func() { p.stop(t.Context()) }()
	p.drain()
	// An attempt that was cut short may have been taken: then it comes twice, one right after the other.
	for lane, ids := range b.taken {
		b.taken[lane] = slices.Compact(ids)
	}
	if diff := cmp.Diff(want, b.taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

func TestDeadLetterAndRedrive(t *testing.T) {
	b := newBot(t)
	poison := event.ID{0, 1, 1}
	b.answerWith(func(_ http.ResponseWriter, id string) int {
		if id == poison.String() {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
	p := start(t, t.TempDir(), b)
	defer p.stop(t.Context())
	want := p.accept(2, 3)
	p.drain()
	letters := 0
	for letter, err := range p.inbox.DeadLetters(shop) {
		if err != nil || letter.Event.ID != poison || letter.Reason != "sink refused the event: HTTP 422" || letter.Attempts != 1 {
			t.Errorf("dead letter %+v, %v", letter, err)
		}
		letters++
	}
	if letters != 1 {
		t.Fatalf("%d dead letters, want 1", letters)
	}
	b.setAnswer(http.StatusOK)
	if n, err := p.inbox.Redrive(t.Context(), shop, poison); n != 1 || err != nil {
		t.Fatalf("Redrive: %d, %v", n, err)
	}
	p.drain()
	lane := want["conversation-0"]
	want["conversation-0"] = []string{lane[0], lane[2], lane[1]}
	if diff := cmp.Diff(want, b.taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

// TestABusyBotGetsProbesUntilItTakesOne: on the real store too, each probe is of another conversation, so that three
// which the bot never takes do not keep the others from it.
func TestABusyBotGetsProbesUntilItTakesOne(t *testing.T) {
	const poisoned = 3
	b := newBot(t)
	var well bool
	var asked []string // the conversations of all calls
	b.answerWith(func(w http.ResponseWriter, id string) int {
		asked = append(asked, id[:2])
		if well && id[:2] >= fmt.Sprintf("%02x", poisoned) {
			return http.StatusOK
		}
		w.Header().Set("Retry-After", "1")
		return http.StatusServiceUnavailable
	})
	p := start(t, t.TempDir(), b)
	defer p.stop(t.Context())
	want := p.accept(100, 3)
	poll.Until(t, "the hold's probes", func() bool { calls, _ := b.count(); return calls >= 12 })
	b.mu.Lock()
	for i := 1; i < len(asked); i++ {
		if asked[i] == asked[i-1] {
			t.Errorf("calls %d and %d are of the same conversation", i-1, i)
		}
	}
	well = true
	b.mu.Unlock()
	poll.Until(t, "what the bot takes", func() bool { _, taken := b.count(); return taken == 3*(100-poisoned) })
	for n := range poisoned {
		delete(want, fmt.Sprintf("conversation-%d", n))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff(want, b.taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

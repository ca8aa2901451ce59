package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/delivery"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testNow = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// served is the API of a connector, and a client of it.
type served struct {
	*httptest.Server
	client    *Client
	connector *Connector
	store     *fakeInbox
}

// serve starts the API over an inbox with three dead letters of chat/shop.
func serve(t *testing.T) served {
	t.Helper()
	store := &fakeInbox{
		letters: map[string][]inbox.DeadLetter{"chat/shop": {letter(1), letter(2), letter(3)}},
		stats: map[string]inbox.Stats{
			"chat/done": {}, // no longer configured, and nothing is left
			"chat/gone": {Pending: 1, OldestPendingAge: time.Second},
			"chat/shop": {Pending: 12, OldestPendingAge: 90 * time.Second, DeadLetters: 3},
		},
	}
	c := &Connector{
		Inbox:    store,
		Delivery: func(string) delivery.Status { return delivery.Status{} },
		Config: func() *config.Config {
			return &config.Config{Channels: []config.Channel{
				{Name: "chat/shop", Delivery: config.Delivery{Paused: true}}, {Name: "chat/new"},
			}}
		},
		Metrics: telemetry.New(prometheus.NewRegistry()),
		Log:     testr.New(t),
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewServer(*c)
	server.Start()
	t.Cleanup(server.Close)
	return served{server, NewClient(server.Listener.Addr().String()), c, store}
}

func count(counts *telemetry.Counts, value string, n int) {
	for range n {
		counts.Inc(value)
	}
}

func TestStatus(t *testing.T) {
	api := serve(t)
	m := api.connector.Metrics
	m.Use("chat/shop").Accepted.Add(20)
	m.Use("chat/shop").Duplicates.Add(2)
	count(&m.Use("chat/shop").Refused, "malformed", 3)
	count(&m.Use("chat/shop").Refused, "wrong_app", 4)
	count(&m.Use("").Refused, "key", 50)
	count(&m.Use("chat/shop").Ignored, "probe", 1)
	count(&m.Use("chat/shop").Ignored, "foreign_account", 10)
	count(&m.Use("chat/shop").AuditFailures, "signature_wrong", 12)
	count(&m.Use("chat/shop").AuditFailures, "signature_missing", 1)
	count(&m.Use("chat/shop").Attempts, "taken", 8)
	count(&m.Use("chat/shop").Attempts, "status", 5)
	count(&m.Use("chat/shop").Attempts, "refused", 1)
	m.Use("chat/new").Accepted.Add(7)
	failing := delivery.Status{
		InFlight: 2, LastError: "HTTP 503", LastErrorAt: testNow, LastTakenAt: testNow.Add(-time.Hour), NextProbe: testNow.Add(time.Second),
	}
	api.connector.Delivery = func(channel string) delivery.Status {
		return map[string]delivery.Status{"chat/shop": failing}[channel]
	}
	api.Config.Handler = api.connector.handler()

	got, err := api.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Status{InboxUsedBytes: 3 << 20, InboxLimitBytes: 1 << 30, RefusedWithoutChannel: 50, Channels: []ChannelStatus{
		{Name: "chat/gone", Pending: 1, OldestPendingSeconds: 1},
		{Name: "chat/new", Configured: true, Accepted: 7},
		{
			Name: "chat/shop", Configured: true, Paused: true,
			Pending: 12, OldestPendingSeconds: 90, DeadLetters: 3,
			Accepted: 20, Duplicates: 2, Ignored: 11, Refused: 7, AuditFailures: 13, Taken: 8, FailedAttempts: 6,
			InFlight: 2, LastError: "HTTP 503", LastErrorAt: testNow, LastTakenAt: testNow.Add(-time.Hour),
			NextProbeAt: testNow.Add(time.Second),
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatusOfBrokenInbox(t *testing.T) {
	api := serve(t)
	api.store.broken = errors.New("disk on fire")
	if _, err := api.client.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("got %v, want the inbox's error", err)
	}
}

func list(ctx context.Context, client *Client, channel string) (ids []string, err error) {
	for letter, err := range client.DeadLetters(ctx, channel) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, letter.ID[:2])
	}
	return ids, nil
}

func TestListIsStreamedWithoutBodies(t *testing.T) {
	api := serve(t)
	const many = 5_000
	for range many {
		api.store.letters["chat/new"] = append(api.store.letters["chat/new"], letter(9))
	}
	if ids, err := list(t.Context(), api.client, "chat/new"); err != nil || len(ids) != many {
		t.Errorf("%d letters, %v", len(ids), err)
	}
	for _, err := range api.client.DeadLetters(t.Context(), "chat/new") {
		if err != nil {
			t.Error(err)
		}
		break // a reader may stop early
	}
	if ids, err := list(t.Context(), api.client, "chat/gone"); err != nil || len(ids) != 0 {
		t.Errorf("%v, %v: want an empty list", ids, err)
	}

	resp, err := http.Get(api.URL + "/v1/deadletters?channel=chat/shop")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), "\n"); got != 3 {
		t.Errorf("%d lines, want 3", got)
	}
	if strings.Contains(string(text), "Ch") || strings.Contains(string(text), "user-77") {
		t.Errorf("the list tells what a user wrote, or who: %s", text)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestListThatBreaksOff(t *testing.T) {
	api := serve(t)
	api.store.broken = errors.New("disk on fire")
	ids, err := list(t.Context(), api.client, "chat/shop")
	if len(ids) != 3 || err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("got %v, %v: want what could be read, then the error", ids, err)
	}
}

func TestShow(t *testing.T) {
	api := serve(t)
	got, err := api.client.DeadLetter(t.Context(), "chat/shop", event.ID{2}.String())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*whole(letter(2)), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRedriveAndDrop(t *testing.T) {
	for name, apply := range map[string]func(*Client, context.Context, Selection) (int, error){
		"redrive": (*Client).Redrive, "drop": (*Client).Drop,
	} {
		t.Run(name, func(t *testing.T) {
			api := serve(t)
			n, err := apply(api.client, t.Context(), Selection{Channel: "chat/shop", IDs: []string{event.ID{2}.String()}})
			if n != 1 || err != nil || len(api.store.letters["chat/shop"]) != 2 {
				t.Fatalf("by id: %d, %v", n, err)
			}
			n, err = apply(api.client, t.Context(), Selection{Channel: "chat/shop", All: true})
			if n != 2 || err != nil || len(api.store.letters["chat/shop"]) != 0 {
				t.Fatalf("all: %d, %v", n, err)
			}
		})
	}
}

// TestChangesInPart has the inbox fail in the middle of a change.
func TestChangesInPart(t *testing.T) {
	api := serve(t)
	var log strings.Builder
	api.connector.Log = funcr.New(func(_, line string) { log.WriteString(line + "\n") }, funcr.Options{})
	api.Config.Handler = api.connector.handler()
	api.store.broken = inbox.ErrFull
	_, err := api.client.Redrive(t.Context(), Selection{Channel: "chat/shop", All: true})
	if err == nil || err.Error() != "3 redriven, the rest not: inbox is full" {
		t.Errorf("got %v, want how many were redriven, and why not all", err)
	}
	if want := `"channel"="chat/shop" "count"=3 "complete"=false`; !strings.Contains(log.String(), want) {
		t.Errorf("the log lacks %s:\n%s", want, log.String())
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	id := event.ID{2}.String()
	tests := map[string]struct {
		selected Selection
		want     string
	}{
		"nothing selected": {Selection{Channel: "chat/shop"}, "either by ids or all"},
		"both":             {Selection{Channel: "chat/shop", IDs: []string{id}, All: true}, "either by ids or all"},
		"broken id":        {Selection{Channel: "chat/shop", IDs: []string{id, "2"}}, "64 hex digits"},
		"unknown id":       {Selection{Channel: "chat/shop", IDs: []string{event.ID{8}.String()}}, "no such dead letter"},
		"unknown channel": {
			Selection{Channel: "chat/shpo", All: true}, `no channel is named "chat/shpo": there are "chat/gone", "chat/new", "chat/shop"`,
		},
		"no channel": {Selection{All: true}, `name the channel: there are "chat/gone", "chat/new", "chat/shop"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			api := serve(t)
			_, err := api.client.Drop(t.Context(), tt.selected)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(api.store.letters["chat/shop"]) != 3 {
				t.Error("something was dropped")
			}
		})
	}
}

// TestAnswers speaks HTTP itself: what a browser or a wrong program may send.
func TestAnswers(t *testing.T) {
	const all = `{"channel":"chat/shop","all":true}`
	show := pathShow + "?channel=chat/shop&id="
	tests := map[string]struct {
		method, path, body, host, origin string
		want                             int
	}{
		"by name":                 {method: "GET", path: pathStatus, host: "localhost:9091", want: 200},
		"by IPv6":                 {method: "GET", path: pathStatus, host: "[::1]:9091", want: 200},
		"without a port":          {method: "GET", path: pathStatus, host: "127.0.0.1", want: 200},
		"a name that rebinds":     {method: "GET", path: pathStatus, host: "evil.example:9091", want: 403},
		"an outer address":        {method: "GET", path: pathStatus, host: "10.1.2.3:9091", want: 403},
		"a lookalike":             {method: "GET", path: pathStatus, host: "localhost.evil.example", want: 403},
		"a form of another site":  {method: "POST", path: pathDrop, body: all, origin: "https://evil.example", want: 403},
		"a change by GET":         {method: "GET", path: pathDrop, want: 405},
		"a status by POST":        {method: "POST", path: pathStatus, want: 405},
		"unknown path":            {method: "GET", path: "/", want: 404},
		"no JSON":                 {method: "POST", path: pathDrop, body: "all", want: 400},
		"unknown field":           {method: "POST", path: pathDrop, body: `{"channel":"chat/shop","all":true,"x":1}`, want: 400},
		"list without channel":    {method: "GET", path: pathList, want: 400},
		"show with a broken id":   {method: "GET", path: show + "7", want: 400},
		"show with an unknown id": {method: "GET", path: show + event.ID{8}.String(), want: 404},
		"drop all":                {method: "POST", path: pathDrop, body: all, want: 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			api := serve(t)
			r, err := http.NewRequestWithContext(t.Context(), tt.method, api.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = tt.host
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			resp, err := api.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode != tt.want {
				t.Errorf("HTTP %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
}

func TestInboxErrors(t *testing.T) {
	tests := map[int]error{
		404: inbox.ErrNotFound,
		503: fmt.Errorf("redrive: %w", inbox.ErrFull),
		500: errors.New("disk on fire"),
	}
	for want, err := range tests {
		recorded := httptest.NewRecorder()
		writeError(recorded, Connector{Log: testr.New(t)}.inboxError("chat/shop", err))
		if recorded.Code != want {
			t.Errorf("%v: HTTP %d, want %d", err, recorded.Code, want)
		}
	}
}

func TestClientMeetsSomethingElse(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for address, want := range map[string]string{
		reserved.Address(t): "no connector answers", other.Listener.Addr().String(): "is no connector: HTTP 404",
	} {
		_, err := NewClient(address).Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), address) {
			t.Errorf("got %v, want %q with the address", err, want)
		}
	}
}

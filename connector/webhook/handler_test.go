package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

func TestMethods(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post"} {
		w := f.do(httptest.NewRequest(method, path+"?hub.challenge=echo", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" || strings.Contains(w.Body.String(), "echo") {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestSamplesEndToEnd(t *testing.T) {
	var vectors struct {
		Vectors []struct{ File, Header string }
	}
	if err := json.Unmarshal(sample(t, "vectors.json"), &vectors); err != nil || len(vectors.Vectors) == 0 {
		t.Fatal(len(vectors.Vectors), err)
	}
	f := newFixture(t, nil, newChannel())
	target := f.serve(t)
	client := newClient(t)
	want := make(map[string]bool)
	for range 2 { // the second time, all are duplicates
		for _, v := range vectors.Vectors {
			body := sample(t, v.File)
			if response, got := post(t, client, target, bytes.NewReader(body), v.Header); response.StatusCode != 200 || got.Status != "0" {
				t.Errorf("%s: %d %+v", v.File, response.StatusCode, got)
			}
			if v.File != "console_test-1.json" {
				want[string(body)] = true
			}
		}
	}
	got := make(map[string]bool)
	for _, e := range f.inbox.stored() {
		got[string(e.Body)] = true
		if e.Channel != "chat/shop" || e.ID.String() == "" || e.Conversation == "" || e.Time.IsZero() {
			t.Errorf("incomplete event of type %s", e.Type)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(f.inbox.stored()) != len(want) {
		t.Error(diff)
	}
	if n := int(f.metrics.Of("chat/shop").Accepted.Load()); n != len(want) {
		t.Errorf("%d counted as accepted", n)
	}
	if n := int(f.metrics.Of("chat/shop").Duplicates.Load()); n != len(want) {
		t.Errorf("%d counted as duplicates", n)
	}
	if n := value(f.metrics.AcceptedEvents.WithLabelValues("other")); n != 1 {
		t.Errorf("%v counted as other", n)
	}
}

// xBot's published example is unsigned.
func TestPublishedExample(t *testing.T) {
	c := zalo.Settings{AppID: "2553928453557884079", Signature: zalo.Signature{
		Mode: channel.SignatureAudit, SecretKeys: []config.Secret{config.NewSecret("an-oa-secret-key")},
	}}
	f := newFixture(t, nil, newChannel(func(ch *Channel) { ch.Type = opened(ch.Name, c) }))
	target := f.serve(t)
	body := sample(t, "xbot_example.json")
	response, err := newClient(t).Post(target, "text/plain", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := readReply(t, response.Body); response.StatusCode != 200 || got.Status != "0" {
		t.Errorf("%d %+v", response.StatusCode, got)
	}
	if stored := f.inbox.stored(); len(stored) != 1 || !bytes.Equal(stored[0].Body, body) {
		t.Errorf("%d stored", len(stored))
	}
	if n := int(f.metrics.Of("chat/shop").AuditFailures.Of("signature_missing")); n != 1 {
		t.Errorf("%v audit failures", n)
	}
}

// TestTimeOfArrival: a call without a time of its own is of the time it came.
func TestTimeOfArrival(t *testing.T) {
	arrived := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return arrived } }, newChannel(func(c *Channel) {
		c.Type = opened(c.Name, zalo.Settings{AppID: app, Signature: zalo.Signature{Mode: channel.SignatureOff}})
	}))
	f.do(request(path+"?"+keyParameter+"="+key, []byte(`{"event_name":"follow","oa_id":"o","follower":{"id":"u"}}`), ""))
	if len(f.inbox.events) != 1 {
		t.Fatalf("%d stored", len(f.inbox.events))
	}
	if e := f.inbox.events[0]; e.Conversation != "oa/o/user/u" || !e.Time.Equal(arrived) {
		t.Errorf("conversation %q, time %v", e.Conversation, e.Time)
	}
}

func TestInboxFailures(t *testing.T) {
	for _, tc := range []struct {
		err    error
		reason string
	}{
		{fmt.Errorf("at its bound: %w", inbox.ErrFull), "inbox_full"},
		{fmt.Errorf("%w: 3 MiB", inbox.ErrDiskFull), "inbox_disk_full"},
		{inbox.ErrClosed, "inbox_failed"},
		{errors.New("disk on fire"), "inbox_failed"},
		{fmt.Errorf("waiting for the commit: %w", context.DeadlineExceeded), "timeout"},
	} {
		f := newFixture(t, nil, newChannel())
		f.inbox.err = tc.err
		body, signature := message("m")
		w := f.do(request(path+"?"+keyParameter+"="+key, body, signature))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || f.refused("chat/shop", tc.reason) != 1 {
			t.Errorf("%v: %d %s", tc.err, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), tc.err.Error()) {
			t.Error("the inbox's error reached the caller")
		}
	}
}

// lines are what a fixture logs for everyone to see.
func (f *fixture) lines() *[]string {
	var lines []string
	f.Log = funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	return &lines
}

// counting counts the lines with a text.
func counting(lines []string, text string) (n int) {
	for _, line := range lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// Why the inbox fails is told once a minute for each kind of failure.
func TestInboxFailuresAreLogged(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return now } }, newChannel())
	lines := f.lines()
	fail := func(err error) {
		f.inbox.err = err
		body, signature := message("m")
		f.do(request(path+"?"+keyParameter+"="+key, body, signature))
	}
	full, failed, late := fmt.Errorf("at its bound: %w", inbox.ErrFull),
		errors.New("disk on fire"), fmt.Errorf("commit: %w", context.DeadlineExceeded)
	for minute, want := range []int{1, 1, 2, 3} { // 0 s, 59 s, 60 s and 120 s after the first
		now = time.Unix(1_800_000_000, 0).Add([]time.Duration{0, 59 * time.Second, 60 * time.Second, 120 * time.Second}[minute])
		for range 3 {
			fail(full)
			fail(failed)
			fail(late)
		}
		for _, err := range []error{full, failed, late} {
			if got := counting(*lines, `"error"="`+err.Error()+`"`); got != want {
				t.Errorf("step %d: %v logged %d times, want %d", minute, err, got, want)
			}
		}
	}
	if n := counting(*lines, `"channel"="chat/shop"`); n != len(*lines) {
		t.Errorf("%d of %d lines name the channel", n, len(*lines))
	}
	for _, secret := range secrets {
		if counting(*lines, secret) > 0 {
			t.Errorf("the log shows %q", secret)
		}
	}
}

// A channel under Audit tells once a minute that calls would be refused.
func TestAuditFailuresAreLogged(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	audit := func(name, key string) Channel {
		z := zaloOA()
		z.Signature.Mode = channel.SignatureAudit
		return newChannel(func(c *Channel) { c.Name, c.Keys, c.Type = name, digests(key), opened(name, z) })
	}
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return now } }, audit("chat/shop", key), audit("chat/other", otherKey))
	lines := f.lines()
	call := func(key, signature string) {
		body, _ := message("m")
		f.do(request(path+"?"+keyParameter+"="+key, body, signature))
	}
	for _, want := range []int{1, 2} {
		for range 3 {
			call(key, "mac=")
			call(otherKey, "mac=")
		}
		for _, name := range []string{"chat/shop", "chat/other"} {
			if got := counting(*lines, `"channel"="`+name+`" "reason"="signature_wrong"`); got != want {
				t.Errorf("%s: logged %d times, want %d:\n%v", name, got, want, *lines)
			}
		}
		now = now.Add(time.Minute)
	}
	body, signature := message("n")
	f.do(request(path+"?"+keyParameter+"="+key, body, signature))
	if len(*lines) != 4 {
		t.Errorf("logged %v", *lines)
	}
	for _, secret := range secrets {
		if counting(*lines, secret) > 0 {
			t.Errorf("the log shows %q", secret)
		}
	}
}

func TestBoundsInFlight(t *testing.T) {
	for name, bound := range map[string]func(*Options){
		"calls": func(o *Options) { o.MaxInFlight = 2 },
		"bytes": func(o *Options) { o.MaxBufferedBytes = firstRead + 200 },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, bound, newChannel())
			f.inbox.block = make(chan struct{})
			target := f.serve(t)
			client := newClient(t)
			results := make(chan int, 2)
			for i := range 2 {
				go func() {
					body, signature := message(fmt.Sprint("first ", i))
					response, _ := post(t, client, target, bytes.NewReader(body), signature)
					results <- response.StatusCode
				}()
				<-f.inbox.entered
			}
			body, signature := message("second")
			// Of unknown length: takes more room than it needs.
			response, _ := post(t, client, target, struct{ *bytes.Reader }{bytes.NewReader(body)}, signature)
			if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || f.refused("chat/shop", "busy") != 1 {
				t.Errorf("beyond the bound: %d", response.StatusCode)
			}
			if response, _ := post(t, client, strings.ReplaceAll(target, key, otherKey),
				bytes.NewReader(body), signature); response.StatusCode != 401 {
				t.Errorf("a stranger beyond the bound: %d", response.StatusCode)
			}
			close(f.inbox.block)
			for range 2 {
				if status := <-results; status != 200 {
					t.Errorf("within the bound: %d", status)
				}
			}
			eventually(t, "room again", func() bool {
				response, _ := post(t, client, target, struct{ *bytes.Reader }{bytes.NewReader(body)}, signature)
				return response.StatusCode == 200
			})
			if n := value(f.metrics.InFlight); n > 1 {
				t.Errorf("%v in flight", n)
			}
		})
	}
}

// The room for what has arrived is looked at before the size. A body that declares too much needs none.
func TestNoRoomComesBeforeTooLarge(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.MaxBufferedBytes = 2048 }, newChannel(func(c *Channel) { c.MaxBodySize = 1024 }))
	too := func(length int64) int {
		call := request(path+"?"+keyParameter+"="+key, make([]byte, 2000), wellFormed)
		call.ContentLength = length
		return f.do(call).Code
	}
	if declared, unknown := too(2000), too(-1); declared != 413 || unknown != 413 {
		t.Errorf("with room: %d declared, %d of unknown length", declared, unknown)
	}
	other := f.inFlight.entered(&share{alone: true}, nil)
	if !other.widen(2048) || !other.arrive() {
		t.Fatal("a refused call kept its room")
	}
	if declared, unknown := too(2000), too(-1); declared != 413 || unknown != 503 {
		t.Errorf("without room: %d declared, %d of unknown length", declared, unknown)
	}
}

func TestDomainPages(t *testing.T) {
	withCodes := func(name string, codes ...string) Channel {
		return newChannel(func(c *Channel) {
			z := zaloOA()
			z.DomainVerification.Codes = codes
			c.Name, c.Type = name, opened(name, z)
		})
	}
	f := newFixture(t, nil, withCodes("a", "one", "two"), withCodes("b", "two", "three"))
	for _, code := range []string{"one", "two", "three"} {
		w := f.do(httptest.NewRequest(http.MethodGet, "/zalo_verifier"+code+".html", nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), `content="`+code+`"`) ||
			!strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("page of %s: %d %s", code, w.Code, w.Body)
		}
		front := f.do(httptest.NewRequest(http.MethodGet, "/", nil)).Body.String()
		if n := strings.Count(front, `<meta name="zalo-platform-site-verification" content="`+code+`" />`); n != 1 {
			t.Errorf("%d meta tags of %s on /", n, code)
		}
	}
	if w := f.do(httptest.NewRequest(http.MethodHead, "/", nil)); w.Code != 200 || w.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD /: %d", w.Code)
	}
	if w := f.do(httptest.NewRequest(http.MethodPost, "/", nil)); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /: %d", w.Code)
	}
	for _, missing := range []string{"/zalo_verifier.html", "/zalo_verifierfour.html", "/favicon.ico"} {
		if w := f.do(httptest.NewRequest(http.MethodGet, missing, nil)); w.Code != 404 {
			t.Errorf("%s: %d", missing, w.Code)
		}
	}
}

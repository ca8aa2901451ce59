package connector_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// largeMessage is a message of about 900 KB that does not compress well.
func largeMessage(n int) []byte {
	random := make([]byte, 450<<10)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(random) // it never fails
	body := message{shopA, "1", fmt.Sprint("large-", n)}.body()
	return fmt.Appendf(body[:len(body)-1], `,"padding":"%s"}`, hex.EncodeToString(random))
}

// TestAFullInboxKnowsWhatItHolds: a call whose event is on disk is answered 200 also when a new one is answered 503.
func TestAFullInboxKnowsWhatItHolds(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	held := newGate(t)
	sink.answers(held.answer)
	r := start(t, newSettings(t, channelSettings{name: shopA, sink: sink.URL}).write(t))
	post := func(body []byte) int {
		status, _, err := r.postRaw(body, signatureOf(body), "?param.header.xp-api-key="+keyOf(shopA))
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	fill := func(stored int) int {
		for post(largeMessage(stored)) == http.StatusOK {
			if stored++; stored == 1000 {
				t.Fatal("the inbox took far more than its bound")
			}
		}
		return stored
	}
	stored := fill(0)
	r.counts(`webhook_refused_total{channel="chat/a",reason="inbox_full"}`, 1)
	r.awaitsReport("a full inbox", func(got report.Report) bool {
		if got.Inbox.State == report.InboxFull {
			return !got.Inbox.Since.IsZero() && got.Inbox.Error == "inbox is full"
		}
		stored = fill(stored) // a compaction has made room
		return false
	})
	for _, remedy := range []string{"connector status tells", "ids of the de-duplication window"} {
		if !strings.Contains(r.logged(), remedy) {
			t.Errorf("the log lacks %q", remedy)
		}
	}
	// A compaction may make room at any time, so what counts is seen between two refusals of the same event.
	known := 0
	for full := false; !full; {
		for _, again := range []int{0, stored - 1} {
			if status := post(largeMessage(again)); status != http.StatusOK {
				t.Errorf("event %d of %d, again: %d", again, stored, status)
			}
			known++
		}
		if full = post(largeMessage(stored)) == http.StatusServiceUnavailable; !full {
			stored = fill(stored + 1)
		}
	}
	r.counts(`webhook_duplicates_total{channel="chat/a"}`, known)
	held.release()
	r.awaitsReport("room again, without a call,", func(got report.Report) bool { return got.Inbox.State == report.InboxOK })
	poll.Until(t, "room again", func() bool { return post(largeMessage(stored)) == http.StatusOK })
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	if got := len(sink.count()); got != stored+1 {
		t.Errorf("%d events were delivered, want %d", got, stored+1)
	}
}

// TestACallIsStoredWholeOrNotAtAll: a call with several events for which the store has no room leaves none of them,
// neither on its disk nor at the sink.
func TestACallIsStoredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	held := newGate(t)
	sink.answers(held.answer)
	r := start(t, echoing(t, "wordSecret: {value: "+echoWord+"}", sink.URL).write(t))
	random := rand.NewChaCha8([32]byte{})
	large := make([]byte, 200<<10)
	accepted := map[string]int{}
	for n, refusals := 0, 0; refusals < 3; n++ {
		_, _ = random.Read(large) // it never fails
		call := fmt.Sprintf("%d-small anna hidden-a\n%d-large bert %x\n%d-again anna %x\n", n, n, large, n, large)
		answer := ""
		for answer == "" || answer == "503 the event was not stored in time\n" { // what is late may be kept
			_, _, answer = r.ask(t, http.MethodPost, "", call, "")
		}
		switch answer {
		case "503 inbox is full\n":
			refusals++
		case "200 accepted\n", "200 already accepted\n":
			for _, event := range []string{"small", "large", "again"} {
				accepted[fmt.Sprint(n, "-", event)] = 1
			}
		default:
			t.Fatalf("call %d: %s", n, answer)
		}
	}
	held.release()
	r.awaits(`inbox_backlog_events{channel="chat/echo"}`, 0)
	delivered := map[string]int{}
	for _, a := range sink.takenSoFar() {
		id, _, _ := strings.Cut(string(a.body), " ")
		delivered[id] = 1
	}
	if diff := cmp.Diff(accepted, delivered); diff != "" {
		t.Errorf("events at the sink (-accepted +delivered):\n%s", diff)
	}
}

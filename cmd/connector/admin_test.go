package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/admin"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

var testTime = time.Date(2026, 11, 22, 10, 0, 0, 0, time.Local)

// serveAdmin answers each path of the admin API with a fixed value, and returns its address and the selections that
// were posted, by path.
func serveAdmin(t *testing.T, answers map[string]any) (address string, posted map[string]admin.Selection) {
	t.Helper()
	posted = map[string]admin.Selection{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			var selected admin.Selection
			_ = json.NewDecoder(r.Body).Decode(&selected)
			posted[r.URL.Path] = selected
		}
		lines := json.NewEncoder(w)
		if list, ok := answers[r.URL.Path].([]admin.DeadLetter); ok {
			for _, letter := range list {
				_ = lines.Encode(letter)
			}
			return
		}
		_ = lines.Encode(answers[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), posted
}

func TestStatus(t *testing.T) {
	status := admin.Status{
		ConfigDigest: "cafe", InboxUsedBytes: 3 << 20, InboxLimitBytes: 1 << 30, RefusedWithoutChannel: 4,
		Channels: []admin.ChannelStatus{
			{Name: "chat/busy", Configured: true, Pending: 1, OldestPendingSeconds: 1, NextProbeAt: testTime},
			{Name: "chat/gone", DeadLetters: 1},
			{Name: "chat/rest", Configured: true, Paused: true, Pending: 2, OldestPendingSeconds: 3725.5},
			{
				Name: "chat/shop", Configured: true, Accepted: 7, Ignored: 5, Refused: 2,
				Stale: 2, AuditFailures: 3, LastError: "HTTP 503", LastErrorAt: testTime,
			},
		},
	}
	address, _ := serveAdmin(t, map[string]any{"/v1/status": status})

	code, stdout, stderr := run(t, "status", "--admin", address)
	want := strings.Join([]string{
		"Configuration cafe, inbox 3.0 MiB of 1.0 GiB, 4 calls refused without a channel (wrong path or key)",
		"",
		"CHANNEL    STATE    PENDING  OLDEST  DEAD  ACCEPTED  DUPLICATES  IGNORED  REFUSED  AUDIT  TAKEN  FAILED  IN FLIGHT  LAST ERROR",
		"chat/busy  held     1        1s      0     0         0           0        0        0      0      0       0          -",
		"chat/gone  removed  0        -       1     0         0           0        0        0      0      0       0          -",
		"chat/rest  paused   2        1h2m5s  0     0         0           0        0        0      0      0       0          -",
		"chat/shop  active   0        -       0     7         0           5        2        3      0      0       0          " +
			"2026-11-22 10:00:00 HTTP 503",
		"",
		"chat/shop: 2 signed events were older than webhook.maxEventAge and were answered 503: calls are replayed, " +
			"or the clock of the connector's machine is ahead",
		"",
	}, "\n")
	if diff := cmp.Diff(want, stdout); code != exitOK || diff != "" {
		t.Errorf("exit %d, stderr %s (-want +got):\n%s", code, stderr, diff)
	}

	_, stdout, _ = run(t, "status", "--admin", address, "-o", "json")
	var got admin.Status
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(status, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestStatusWithoutConnector(t *testing.T) {
	code, _, stderr := run(t, "status", "--admin", reserved.Address(t))
	if code != exitFailure || !strings.Contains(stderr, "no connector answers") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func testLetter(id string) admin.DeadLetter {
	return admin.DeadLetter{ID: id, Type: "vn.zalo.oa.follow", Reason: "HTTP 422", Attempts: 2, AcceptedAt: testTime, DiedAt: testTime}
}

func TestDeadLettersList(t *testing.T) {
	address, _ := serveAdmin(t, map[string]any{"/v1/deadletters": []admin.DeadLetter{testLetter("aa"), testLetter("bb")}})
	_, stdout, stderr := run(t, "deadletters", "list", "--admin", address, "--channel=chat/shop")
	want := "" +
		"ID  TYPE               DIED                 ATTEMPTS  REASON\n" +
		"aa  vn.zalo.oa.follow  2026-11-22 10:00:00  2         HTTP 422\n" +
		"bb  vn.zalo.oa.follow  2026-11-22 10:00:00  2         HTTP 422\n"
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Errorf("stderr %s (-want +got):\n%s", stderr, diff)
	}
	_, stdout, _ = run(t, "deadletters", "list", "--admin", address, "--channel=chat/shop", "-o=json")
	if strings.Count(stdout, "\n") != 2 || !strings.HasPrefix(stdout, `{"id":"aa",`) {
		t.Errorf("JSON: %s", stdout)
	}
}

// TestDeadLettersThatCannotBeListed: an error comes without the header of a table.
func TestDeadLettersThatCannotBeListed(t *testing.T) {
	for _, output := range []string{"table", "json"} {
		address, _ := serveAdmin(t, map[string]any{"/v1/deadletters": map[string]string{"error": "disk on fire"}})
		code, stdout, stderr := run(t, "deadletters", "list", "--admin", address, "--channel=chat/shop", "-o", output)
		if code != exitFailure || stdout != "" || !strings.Contains(stderr, "disk on fire") {
			t.Errorf("%s: exit %d: %s%s", output, code, stdout, stderr)
		}
	}
}

func TestDeadLettersShow(t *testing.T) {
	letter := admin.Letter{DeadLetter: testLetter("aa"), Subject: "user\x1b", Time: testTime, Body: []byte("{\"text\":\"Chào\x7f\"}")}
	address, _ := serveAdmin(t, map[string]any{"/v1/deadletters/show": letter})
	_, stdout, stderr := run(t, "deadletters", "show", "--admin", address, "--channel=chat/shop", "aa")
	for _, want := range []string{"ID:            aa\n", `user\x1b` + "\n", "HTTP 422\n", "\n{\"text\":\"Chào\\x7f\"}\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing; stderr %s, stdout:\n%s", want, stderr, stdout)
		}
	}
	_, stdout, _ = run(t, "deadletters", "show", "--admin", address, "--channel=chat/shop", "aa", "-o=json")
	var got admin.Letter
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(letter, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestDeadLettersRedriveAndDrop(t *testing.T) {
	for verb, done := range map[string]string{"redrive": "Redriven: 2\n", "drop": "Dropped: 2\n"} {
		for name, tt := range map[string]struct {
			args []string
			want admin.Selection
		}{
			"ids": {[]string{"aa", "bb"}, admin.Selection{Channel: "chat/shop", IDs: []string{"aa", "bb"}}},
			"all": {[]string{"--all"}, admin.Selection{Channel: "chat/shop", All: true}},
		} {
			t.Run(verb+" "+name, func(t *testing.T) {
				path := "/v1/deadletters/" + verb
				address, posted := serveAdmin(t, map[string]any{path: map[string]int{"count": 2}})
				args := append([]string{"deadletters", verb, "--admin", address, "--channel=chat/shop"}, tt.args...)
				if code, stdout, stderr := run(t, args...); code != exitOK || stdout != done {
					t.Errorf("exit %d: %s%s", code, stdout, stderr)
				}
				if diff := cmp.Diff(map[string]admin.Selection{path: tt.want}, posted); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

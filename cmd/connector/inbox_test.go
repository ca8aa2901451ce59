package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// stoppedInbox makes an inbox with one dead letter and two pending events, one of them tried.
func stoppedInbox(t *testing.T) (path string, bodies map[string][]byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "inbox")
	store, err := pebble.Open(pebble.Options{
		Path: path, MaxSize: 1 << 30, DeduplicationWindow: time.Hour,
		Metrics: telemetry.New(prometheus.NewRegistry()), Log: logr.Discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := store.Consume(t.Context(), "chat/shop", inbox.Settings{Ordering: inbox.Unordered})
	if err != nil {
		t.Fatal(err)
	}
	bodies = make(map[string][]byte)
	for i, body := range []string{"{ \"a\": 1 }\n", `{"dead":true}`, "\xff\x00 no JSON"} {
		e := testEvent()
		e.ID = event.ID{byte(i)}
		e.Body = []byte(body)
		bodies[e.ID.String()] = e.Body
		if _, err := store.Accept(t.Context(), []event.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	claims, _, err := consumer.Claim(t.Context(), 2)
	if err != nil || len(claims) != 2 {
		t.Fatalf("claims %v, %v", claims, err)
	}
	for i, verdict := range []inbox.Verdict{inbox.Retry{After: time.Hour}, inbox.Dead{Reason: "the sink answered 400"}} {
		if err := consumer.Settle(t.Context(), claims[i], verdict); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path, bodies
}

// exportedLine is what the test reads of an exported event.
type exportedLine struct {
	SpecVersion, ID, Source, Type, Channel, State, Reason string

	Attempts   int
	AcceptedAt time.Time
	DiedAt     time.Time
	Body       []byte `json:"data_base64"`
}

func parseExport(t *testing.T, text string) (lines []exportedLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		var parsed exportedLine
		if err := json.Unmarshal([]byte(line), &parsed); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, parsed)
	}
	return lines
}

func TestInboxExport(t *testing.T) {
	path, bodies := stoppedInbox(t)
	code, stdout, stderr := run(t, "inbox", "export", "--path", path)
	if code != exitOK || !strings.Contains(stderr, "2 pending events and 1 dead letters") {
		t.Fatalf("exit %d, stderr: %s", code, stderr)
	}
	lines := parseExport(t, stdout)
	var states []string
	for _, l := range lines {
		states = append(states, l.State)
		if !bytes.Equal(l.Body, bodies[l.ID]) {
			t.Errorf("body %q, want %q", l.Body, bodies[l.ID])
		}
		if l.SpecVersion != "1.0" || l.Source != "/zalo/1/2" || l.Channel != "chat/shop" || l.AcceptedAt.IsZero() {
			t.Errorf("exported %+v", l)
		}
	}
	if diff := cmp.Diff([]string{"pending", "pending", "dead"}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if lines[0].Attempts != 1 || lines[1].Attempts != 0 || lines[2].Reason != "the sink answered 400" || lines[2].DiedAt.IsZero() {
		t.Errorf("exported %+v", lines)
	}

	file := filepath.Join(t.TempDir(), "events.jsonl")
	if code, _, stderr := run(t, "inbox", "export", "--path", path, "--output", file); code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if written, err := os.ReadFile(file); err != nil || string(written) != stdout {
		t.Errorf("the file differs from standard output: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	if code, _, stderr := run(t, "inbox", "export", "--path", path, "--output", file); code != exitFailure ||
		!strings.Contains(stderr, "exists") {
		t.Errorf("exit %d over a file that exists: %s", code, stderr)
	}
}

// TestAnExportThatOthersCanRead is what "export > file" makes.
func TestAnExportThatOthersCanRead(t *testing.T) {
	path, _ := stoppedInbox(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for mode, warned := range map[os.FileMode]bool{0o644: true, 0o640: true, 0o600: false} {
		if err := file.Chmod(mode); err != nil {
			t.Fatal(err)
		}
		var messages bytes.Buffer
		if code := execute(t.Context(), newTestRoot(file, &messages, "inbox", "export", "--path", path)); code != exitOK {
			t.Errorf("exit %d: %s", code, messages.String())
		}
		if strings.Contains(messages.String(), "--output FILE") != warned {
			t.Errorf("mode %o: %s", mode, messages.String())
		}
	}
}

func TestInboxCheck(t *testing.T) {
	path, _ := stoppedInbox(t)
	code, stdout, stderr := run(t, "inbox", "check", "--path", path)
	if code != exitOK || !strings.Contains(stdout, "The inbox is sound") || !strings.Contains(stdout, "chat/shop  2 ") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = run(t, "inbox", "check", "--path", path, "-o", "json")
	var report inboxReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != exitOK || !report.Sound {
		t.Errorf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	if len(report.Channels) != 1 || report.Channels[0].Pending != 2 ||
		report.Channels[0].DeadLetters != 1 || report.Channels[0].DeduplicationKeys != 3 {
		t.Errorf("channels %+v", report.Channels)
	}
}

func TestInboxDamaged(t *testing.T) {
	path, bodies := stoppedInbox(t)
	manifests, err := filepath.Glob(filepath.Join(path, "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatal("no manifest", err)
	}
	for _, name := range manifests {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := run(t, "inbox", "check", "--path", path)
	if code != exitFailure || !strings.Contains(stdout, "does not open") ||
		!strings.Contains(stdout, "What to do: ") || !strings.Contains(stderr, "not sound") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = run(t, "inbox", "export", "--path", path)
	if code != exitFailure || !strings.Contains(stderr, "does not open") || !strings.Contains(stderr, "everything readable is exported") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if lines := parseExport(t, stdout); len(lines) != len(bodies) {
		t.Errorf("exported %d events, want all %d", len(lines), len(bodies))
	}
}

func TestInboxThatIsNone(t *testing.T) {
	for _, verb := range []string{"check", "export"} {
		code, _, stderr := run(t, "inbox", verb, "--path", t.TempDir())
		if code != exitFailure || !strings.Contains(stderr, "holds no inbox") {
			t.Errorf("%s: exit %d: %s", verb, code, stderr)
		}
	}
}

// TestAnExportThatWroteNothing can be run again with the right folder: the file that it was to write must not exist
// yet.
func TestAnExportThatWroteNothing(t *testing.T) {
	path, _ := stoppedInbox(t)
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if code, _, stderr := run(t, "inbox", "export", "--path", t.TempDir(), "--output", file); code != exitFailure ||
		!strings.Contains(stderr, "holds no inbox") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file is left: %v", err)
	}
	if code, _, stderr := run(t, "inbox", "export", "--path", path, "--output", file); code != exitOK {
		t.Errorf("exit %d with the right folder: %s", code, stderr)
	}
}

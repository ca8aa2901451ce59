package connector_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestATypeOfSinkThatTakesBatches is one folder and one line, which TestMain has: no other part of the connector names
// it.
func TestATypeOfSinkThatTakesBatches(t *testing.T) {
	t.Parallel()
	const talks, each, maxBatch = 20, 5, 8
	s := newSettings(t, channelSettings{name: shopA, sink: "-", delivery: "paused: true"})
	write := func() {
		lines := fmt.Sprintf("sink: {type: Lines, lines: {file: taken, maxBatch: %d}}", maxBatch)
		put(t, s.path(), strings.Replace(s.yaml(), `sink: {http: {url: "-", }}`, lines, 1))
	}
	write()
	r := start(t, s.path())
	want := map[string][]string{}
	for n := range each {
		for talk := range talks {
			m := message{shopA, fmt.Sprint(talk), fmt.Sprintf("%d-%d", talk, n)}
			r.call(m)
			want[user+m.talk] = append(want[user+m.talk], m.id)
		}
	}
	s.channels[0].delivery = ""
	r.awaitReload("applied", write)
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	got, batches := takenInBatches(t, filepath.Join(s.folder, "taken"), maxBatch)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages by user (-want +got):\n%s", diff)
	}
	if batches == talks*each {
		t.Error("every event came alone")
	}
	r.counts(`delivery_attempts_total{channel="chat/a",result="taken"}`, talks*each)
}

// takenInBatches are the ids of messages by their users, in the order of the file's lines, and how many lines there
// are.
func takenInBatches(t *testing.T, file string, maxBatch int) (ids map[string][]string, batches int) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ids = map[string][]string{}
	for line := range strings.Lines(string(content)) {
		var batch []struct {
			Sender  struct{ ID string }
			Message struct {
				ID string `json:"msg_id"`
			}
		}
		if err := json.Unmarshal([]byte(line), &batch); err != nil || len(batch) > maxBatch {
			t.Errorf("%d events, %v: %s", len(batch), err, line)
		}
		batches++
		users := map[string]bool{}
		for _, e := range batch {
			if users[e.Sender.ID] {
				t.Errorf("a batch holds two events of one conversation: %s", line)
			}
			users[e.Sender.ID] = true
			ids[e.Sender.ID] = append(ids[e.Sender.ID], e.Message.ID)
		}
	}
	return ids, batches
}

package pebble

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// golden is one stored thing.
type golden struct {
	name  string
	bytes []byte
}

// TestStoredBytes: a store of this release is read by the next one. Whoever
// changes a line of the file changes the format, and has to say how an older
// store is read.
func TestStoredBytes(t *testing.T) {
	want, err := os.ReadFile("testdata/stored-bytes.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, g := range slices.Concat(goldenKeys(), goldenRecords(), goldenLedger()) {
		got += fmt.Sprintf("%s: %x\n", g.name, g.bytes)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("stored bytes (-want +got):\n%s", diff)
	}
}

func goldenKeys() []golden {
	c, l := channelKeyOf("chat/shop"), laneKeyOf("conversation")
	id := event.ID{0xaa, 31: 0xbb}
	return []golden{
		{"schema key", schemaKey()},
		{"clock key", clockKey()},
		{"channel key", channelRecordKey(c)},
		{"event key", eventKey(c, 0x0102)},
		{"de-duplication key", duplicateKey(7, c, id)},
		{"lane key", laneRecordKey(c, l)},
		{"timer key", timerKey(c, 0x0304, l)},
		{"pointer key", pointerKey(c, l, 0x0102)},
		{"dead letter key", deadLetterKey(c, 0x0304, 0x0102)},
	}
}

func goldenRecords() []golden {
	e := eventRecord{
		acceptedAt: 3 * instant(time.Hour), acceptedTime: time.Unix(1_800_000_000, 5), pausedBefore: time.Second,
		event: event.Event{
			ID: event.ID{0xaa, 31: 0xbb}, Channel: "chat/shop", Source: "/zalo/1/2", Type: "vn.zalo.oa.user_send_text",
			Subject: "3", Conversation: "2/3", Time: time.Unix(1_700_000_000, 9), ContentType: "application/json", Body: []byte(`{"a":1}`),
		},
	}
	unordered := e
	unordered.ordering = inbox.Unordered
	return []golden{
		{"event", e.encode()},
		{"unordered event", unordered.encode()},
		{"lane", laneRecord{head: 300, attempts: 2, due: instant(time.Minute)}.encode()},
		{"channel", channelRecord{
			name: "chat/shop", last: 900, settled: 800, deadLetters: 4, low: 700, cursor: 850,
			pauses: pauses{total: time.Minute, since: instant(time.Hour)}, retention: 24 * time.Hour,
		}.encode()},
		{"dead letter", deadRecord{diedTime: time.Unix(1_800_000_100, 0), attempts: 3, reason: "HTTP 422", event: []byte{1, 2}}.encode()},
		{"clock", clockRecord{at: instant(time.Hour), time: time.Unix(1_800_000_000, 5)}.encode()},
		{"de-duplication", appendInstant(nil, instant(time.Hour))},
		{"schema", []byte{schemaVersion}},
	}
}

func goldenLedger() []golden {
	return []golden{
		{"ledger slot", encodeSlot(9, map[string]prefix{"MANIFEST-000001": {1 << 20, 0xdeadbeef}, "000002.log": {}})},
	}
}

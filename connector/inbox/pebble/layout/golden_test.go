package layout

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

// TestStoredBytes: a store of this release is read by the next one. A change of a line of the file changes the
// format, and has to say how an older store is read.
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
	c, l := ChannelKeyOf("chat/shop"), LaneKeyOf("conversation")
	id := event.ID{0xaa, 31: 0xbb}
	return []golden{
		{"schema key", SchemaKey()},
		{"clock key", ClockKey()},
		{"channel key", ChannelRecordKey(c)},
		{"event key", EventKey(c, 0x0102)},
		{"de-duplication key", DuplicateKey(7, c, id)},
		{"lane key", LaneRecordKey(c, l)},
		{"timer key", TimerKey(c, 0x0304, l)},
		{"pointer key", PointerKey(c, l, 0x0102)},
		{"dead letter key", DeadLetterKey(c, 0x0304, 0x0102)},
	}
}

func goldenRecords() []golden {
	e := EventRecord{
		AcceptedAt: 3 * Instant(time.Hour), AcceptedTime: time.Unix(1_800_000_000, 5), PausedBefore: time.Second,
		Event: event.Event{
			ID: event.ID{0xaa, 31: 0xbb}, Channel: "chat/shop", Source: "/zalo/1/2", Type: "vn.zalo.oa.user_send_text",
			Subject: "3", Conversation: "2/3", Time: time.Unix(1_700_000_000, 9), ContentType: "application/json", Body: []byte(`{"a":1}`),
		},
	}
	unordered := e
	unordered.Ordering = inbox.Unordered
	return []golden{
		{"event", e.Encode()},
		{"unordered event", unordered.Encode()},
		{"lane", LaneRecord{Head: 300, Attempts: 2, Due: Instant(time.Minute)}.Encode()},
		{"channel", ChannelRecord{
			Name: "chat/shop", Last: 900, Settled: 800, DeadLetters: 4, Low: 700, Cursor: 850,
			Pauses: Pauses{total: time.Minute, since: Instant(time.Hour)}, Retention: 24 * time.Hour,
		}.Encode()},
		{"dead letter", DeadRecord{DiedTime: time.Unix(1_800_000_100, 0), Attempts: 3, Reason: "HTTP 422", Event: []byte{1, 2}}.Encode()},
		{"clock", ClockRecord{At: Instant(time.Hour), Time: time.Unix(1_800_000_000, 5)}.Encode()},
		{"de-duplication", AppendInstant(nil, Instant(time.Hour))},
		{"schema", []byte{SchemaVersion}},
	}
}

func goldenLedger() []golden {
	return []golden{
		{"ledger slot", encodeSlot(9, map[string]FilePrefix{"MANIFEST-000001": {1 << 20, 0xdeadbeef}, "000002.log": {}})},
	}
}

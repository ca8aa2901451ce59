package pebble

import (
	"bytes"
	"math"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

func sampleEvent() eventRecord {
	return eventRecord{
		acceptedAt: 7, acceptedTime: time.Unix(0, 1_800_000_000_000_000_000), pausedBefore: time.Second, ordering: inbox.Unordered,
		event: event.Event{
			ID: event.ID{1}, Source: "/zalo/1/2", Type: "t", Subject: "s", Conversation: "c", ContentType: "application/json",
			Time: time.Unix(0, 1_700_000_000_000_000_000), Body: []byte(`{"a":1}`),
		},
	}
}

// TestAnyTimeIsReadAgain: no time, whoever showed it, may make a record that the
// store refuses as damaged.
func TestAnyTimeIsReadAgain(t *testing.T) {
	for _, shown := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(-1, 0), time.Unix(1, 999_999_999), time.UnixMilli(math.MaxInt64), time.UnixMilli(math.MinInt64),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -14*3600)), time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 14*3600)),
	} {
		record := sampleEvent()
		record.acceptedTime, record.event.Time = shown, shown
		got, err := decodeEvent("", record.encode())
		if err != nil {
			t.Errorf("%v: %v", shown, err)
		} else if at := got.acceptedTime; !at.Equal(shown) && !at.IsZero() || !got.event.Time.Equal(at) {
			t.Errorf("%v became %v and %v", shown, at, got.event.Time)
		}
		if _, err := decodeClock(clockRecord{at: 1, time: shown}.encode()); err != nil {
			t.Errorf("%v: %v", shown, err)
		}
	}
}

// The fuzzers below feed decoders with what a damaged disk may hold: they must
// neither panic nor take memory beyond their input, and what they accept is
// what encoding it again gives.

func FuzzDecodeEvent(f *testing.F) {
	f.Add(sampleEvent().encode())
	f.Add([]byte{recordVersion})
	f.Add([]byte{2, 0, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		record, err := decodeEvent("", value)
		e := record.event
		if held := len(e.Source) + len(e.Type) + len(e.Subject) + len(e.Conversation) + len(e.ContentType) + len(e.Body); held > len(value) {
			t.Fatalf("%d bytes from %d", held, len(value))
		}
		if err != nil {
			return
		}
		again, err := decodeEvent("", record.encode())
		if err != nil || !bytes.Equal(again.encode(), record.encode()) {
			t.Fatalf("not stable: %v", err)
		}
	})
}

func FuzzDecodeLane(f *testing.F) {
	f.Add(laneRecord{head: 7, attempts: 2, due: 1}.encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		if record, err := decodeLane(value); err == nil {
			if again, err := decodeLane(record.encode()); err != nil || again != record {
				t.Fatalf("not stable: %+v, %+v, %v", record, again, err)
			}
		}
	})
}

func FuzzDecodeChannel(f *testing.F) {
	f.Add(channelRecord{name: "chat/shop", last: 9, settled: 3, deadLetters: 1, low: 2, cursor: 4}.encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		if record, err := decodeChannel(value); err == nil {
			if again, err := decodeChannel(record.encode()); err != nil || again != record {
				t.Fatalf("not stable: %+v, %+v, %v", record, again, err)
			}
		}
	})
}

func FuzzDecodeClock(f *testing.F) {
	f.Add(clockRecord{at: 7, time: time.Unix(1, 0)}.encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		if record, err := decodeClock(value); err == nil {
			if again, err := decodeClock(record.encode()); err != nil || again != record {
				t.Fatalf("not stable: %+v, %+v, %v", record, again, err)
			}
		}
	})
}

func FuzzDecodeDead(f *testing.F) {
	f.Add(deadRecord{attempts: 3, reason: "refused", event: sampleEvent().encode()}.encode())
	key := deadLetterKey(channelKeyOf("chat/shop"), 1, 7)
	f.Fuzz(func(t *testing.T, value []byte) {
		entry, err := readDead("chat/shop", key, value)
		if err == nil && len(entry.letter.Reason)+len(entry.letter.Event.Body) > len(value) {
			t.Fatal("more than there was")
		}
	})
}

// FuzzDecodeBatch reads batches of the write-ahead log as they are after damage.
func FuzzDecodeBatch(f *testing.F) {
	header := string(make([]byte, batchHeader))
	f.Add([]byte(header + "\x01\x02ex\x01v\x00\x01e"))
	f.Add([]byte(header + "\x0f\x01e\x01f"))
	f.Fuzz(func(t *testing.T, batch []byte) {
		var l logReader
		_ = l.decode(batch) // any damage is fine
		held := 0
		for _, e := range l.entries {
			held += len(e.key) + len(e.value)
		}
		if held > len(batch) {
			t.Fatalf("%d bytes from %d", held, len(batch))
		}
	})
}

package layout

import (
	"bytes"
	"math"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

func sampleEvent() EventRecord {
	return EventRecord{
		AcceptedAt: 7, AcceptedTime: time.Unix(0, 1_800_000_000_000_000_000), PausedBefore: time.Second, Ordering: inbox.Unordered,
		Event: event.Event{
			ID: event.ID{1}, Source: "/zalo/1/2", Type: "t", Subject: "s", Conversation: "c", ContentType: "application/json",
			Time: time.Unix(0, 1_700_000_000_000_000_000), Body: []byte(`{"a":1}`),
		},
	}
}

// TestAnyTimeIsReadAgain: no time that any clock shows may make a record that the store refuses as damaged.
func TestAnyTimeIsReadAgain(t *testing.T) {
	for _, shown := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(-1, 0), time.Unix(1, 999_999_999), time.UnixMilli(math.MaxInt64), time.UnixMilli(math.MinInt64),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -14*3600)), time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 14*3600)),
	} {
		record := sampleEvent()
		record.AcceptedTime, record.Event.Time = shown, shown
		got, err := DecodeEvent("", record.Encode())
		if err != nil {
			t.Errorf("%v: %v", shown, err)
		} else if at := got.AcceptedTime; !at.Equal(shown) && !at.IsZero() || !got.Event.Time.Equal(at) {
			t.Errorf("%v became %v and %v", shown, at, got.Event.Time)
		}
		if _, err := DecodeClock(ClockRecord{At: 1, Time: shown}.Encode()); err != nil {
			t.Errorf("%v: %v", shown, err)
		}
	}
}

// The fuzzers below feed decoders with what a damaged disk may hold: they must neither panic nor take memory beyond
// their input, and what they accept is what encoding it again gives.

func FuzzDecodeEvent(f *testing.F) {
	f.Add(sampleEvent().Encode())
	f.Add([]byte{recordVersion})
	f.Add([]byte{2, 0, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		record, err := DecodeEvent("", value)
		e := record.Event
		if held := len(e.Source) + len(e.Type) + len(e.Subject) + len(e.Conversation) + len(e.ContentType) + len(e.Body); held > len(value) {
			t.Fatalf("%d bytes from %d", held, len(value))
		}
		if err != nil {
			return
		}
		again, err := DecodeEvent("", record.Encode())
		if err != nil || !bytes.Equal(again.Encode(), record.Encode()) {
			t.Fatalf("not stable: %v", err)
		}
	})
}

func FuzzDecodeLane(f *testing.F) {
	f.Add(LaneRecord{Head: 7, Attempts: 2, Due: 1}.Encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		if record, err := DecodeLane(value); err == nil {
			if again, err := DecodeLane(record.Encode()); err != nil || again != record {
				t.Fatalf("not stable: %+v, %+v, %v", record, again, err)
			}
		}
	})
}

func FuzzDecodeChannel(f *testing.F) {
	f.Add(ChannelRecord{Name: "chat/shop", Last: 9, Settled: 3, DeadLetters: 1, Low: 2, Cursor: 4}.Encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		if record, err := DecodeChannel(value); err == nil {
			if again, err := DecodeChannel(record.Encode()); err != nil || again != record {
				t.Fatalf("not stable: %+v, %+v, %v", record, again, err)
			}
		}
	})
}

func FuzzDecodeClock(f *testing.F) {
	f.Add(ClockRecord{At: 7, Time: time.Unix(1, 0)}.Encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		if record, err := DecodeClock(value); err == nil {
			if again, err := DecodeClock(record.Encode()); err != nil || again != record {
				t.Fatalf("not stable: %+v, %+v, %v", record, again, err)
			}
		}
	})
}

func FuzzDecodeDead(f *testing.F) {
	f.Add(DeadRecord{Attempts: 3, Reason: "refused", Event: sampleEvent().Encode()}.Encode())
	key := DeadLetterKey(ChannelKeyOf("chat/shop"), 1, 7)
	f.Fuzz(func(t *testing.T, value []byte) {
		entry, err := ReadDead("chat/shop", key, value)
		if err == nil && len(entry.Letter.Reason)+len(entry.Letter.Event.Body) > len(value) {
			t.Fatal("more than there was")
		}
	})
}

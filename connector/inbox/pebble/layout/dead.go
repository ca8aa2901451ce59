package layout

import (
	"bytes"
	"encoding/binary"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// DeadEntry is a stored dead letter.
type DeadEntry struct {
	Key    []byte
	Letter inbox.DeadLetter
	Record EventRecord
}

// ReadDead reads a dead letter; it shares no memory with key and value.
func ReadDead(channel string, key, value []byte) (DeadEntry, error) {
	dead, err := decodeDead(bytes.Clone(value))
	if err != nil {
		return DeadEntry{}, err
	}
	record, err := DecodeEvent(channel, dead.Event)
	return DeadEntry{
		Key: bytes.Clone(key), Record: record,
		Letter: inbox.DeadLetter{
			Event: record.Event, Reason: dead.Reason, Attempts: dead.Attempts, AcceptedAt: record.AcceptedTime,
			DiedAt: dead.DiedTime,
		},
	}, err
}

// DeadRecord is a dead letter; Event is an encoded EventRecord.
type DeadRecord struct {
	// DiedTime is what the machine's clock showed when the event died, for
	// people; the key says when that was by the store's own.
	DiedTime time.Time
	Attempts int
	Reason   string
	Event    []byte
}

// Encode returns the stored bytes.
func (r DeadRecord) Encode() []byte {
	b := appendTime([]byte{recordVersion}, r.DiedTime)
	b = binary.AppendVarint(b, int64(r.Attempts))
	b = appendString(b, r.Reason)
	return append(b, r.Event...)
}

func decodeDead(value []byte) (DeadRecord, error) {
	d := Decoder{Rest: value}
	d.version()
	r := DeadRecord{DiedTime: d.time(), Attempts: int(d.varint()), Reason: d.string(), Event: d.Rest}
	return r, d.Err
}

package layout

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"xbot.a4b.vn/channel-connector/connector/event"
)

// The first byte of every key is its kind; the package documentation lists the layouts.
const (
	PrefixSchema     = 'm'
	PrefixClock      = 'a'
	PrefixChannel    = 'c'
	PrefixEvent      = 'e'
	PrefixDuplicate  = 'd'
	PrefixLane       = 'l'
	PrefixTimer      = 't'
	PrefixPointer    = 'p'
	PrefixDeadLetter = 'x'
)

// ChannelKey stands for a channel's name in keys.
type ChannelKey [8]byte

// LaneKey stands for a lane's name in keys.
type LaneKey [16]byte

// ChannelKeyOf shortens a channel's name.
func ChannelKeyOf(name string) ChannelKey {
	sum := sha256.Sum256([]byte(name))
	return ChannelKey(sum[:8])
}

// LaneKeyOf shortens a lane's name. Two names that collided would only wait for each other.
func LaneKeyOf(lane string) LaneKey {
	sum := sha256.Sum256([]byte(lane))
	return LaneKey(sum[:16])
}

// SchemaKey is that of SchemaVersion.
func SchemaKey() []byte { return []byte{PrefixSchema} }

// ClockKey is that of the ClockRecord.
func ClockKey() []byte { return []byte{PrefixClock} }

// ChannelRecordKey is that of a ChannelRecord.
func ChannelRecordKey(c ChannelKey) []byte { return Prefixed(PrefixChannel, c) }

// EventKey is that of a pending event, an EventRecord.
func EventKey(c ChannelKey, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(Prefixed(PrefixEvent, c), sequence)
}

// DuplicateKey is that of an accepted id, with AppendInstant's bytes of when.
func DuplicateKey(bucket uint32, c ChannelKey, id event.ID) []byte {
	return append(append(DuplicateBucketStart(bucket), c[:]...), id[:]...)
}

// DuplicateBucketStart is the lower end of every de-duplication key of bucket.
func DuplicateBucketStart(bucket uint32) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 45), PrefixDuplicate), bucket)
}

// LaneRecordKey is that of a LaneRecord.
func LaneRecordKey(c ChannelKey, l LaneKey) []byte {
	return append(Prefixed(PrefixLane, c), l[:]...)
}

// TimerKey is that of a tracked lane's next attempt, without a value.
func TimerKey(c ChannelKey, due Instant, l LaneKey) []byte {
	return append(TimerBound(c, due), l[:]...)
}

// TimerBound is the lower end of the timers that are due at or after due.
func TimerBound(c ChannelKey, due Instant) []byte {
	return AppendInstant(Prefixed(PrefixTimer, c), due)
}

// PointerKey is that of a tracked lane's further event, without a value.
func PointerKey(c ChannelKey, l LaneKey, sequence uint64) []byte {
	k := append(Prefixed(PrefixPointer, c), l[:]...)
	return binary.BigEndian.AppendUint64(k, sequence)
}

// DeadLetterKey is that of a DeadRecord.
func DeadLetterKey(c ChannelKey, diedAt Instant, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(DeadLetterBound(c, diedAt), sequence)
}

// DeadLetterBound is the lower end of the dead letters of diedAt and later.
func DeadLetterBound(c ChannelKey, diedAt Instant) []byte {
	return AppendInstant(Prefixed(PrefixDeadLetter, c), diedAt)
}

// Prefixed starts a key with room for the longest one.
func Prefixed(prefix byte, c ChannelKey) []byte {
	k := make([]byte, 0, 40)
	return append(append(k, prefix), c[:]...)
}

// RangeEnd is larger than every key that starts with prefix and c, and smaller than the keys of the next channel.
func RangeEnd(prefix byte, c ChannelKey) []byte { return append(Prefixed(prefix, c), beyondKeys...) }

// beyondKeys is larger than the rest of any key behind its channel.
const beyondKeys = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

// AppendInstant appends t; what lies before the store's beginning sorts as it.
func AppendInstant(k []byte, t Instant) []byte {
	return binary.BigEndian.AppendUint64(k, uint64(max(t, 0)))
}

// instantAt reads what AppendInstant appended.
func instantAt(k []byte) Instant { return Instant(binary.BigEndian.Uint64(k)) }

// SequenceOf reads the sequence at the end of an event, pointer or dead letter key.
func SequenceOf(key []byte) uint64 {
	if len(key) < 8 {
		return math.MaxUint64
	}
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// DiedAt reads when the event of a dead letter key died.
func DiedAt(key []byte) Instant { return instantAt(key[1+len(ChannelKey{}):]) }

// TimerOf reads the due time and the lane of a timer key.
func TimerOf(key []byte) (due Instant, l LaneKey) {
	const at = 1 + len(ChannelKey{})
	return instantAt(key[at:]), LaneKey(key[at+8:])
}

// ChannelKeyAt reads the channel of every key but a de-duplication key.
func ChannelKeyAt(key []byte) ChannelKey { return ChannelKey(key[1:]) }

// LaneKeyAt reads the lane of a lane record's or a pointer's key.
func LaneKeyAt(key []byte) LaneKey { return LaneKey(key[1+len(ChannelKey{}):]) }

// BucketOf splits a de-duplication key.
func BucketOf(key []byte) (number uint32, member []byte) {
	const at = 1
	return binary.BigEndian.Uint32(key[at:]), key[at+4:]
}

// KeyLengths are those of well-formed keys, by their first byte.
var KeyLengths = map[byte]int{
	PrefixSchema: 1, PrefixClock: 1, PrefixChannel: 9, PrefixEvent: 17, PrefixDuplicate: 45,
	PrefixLane: 25, PrefixTimer: 33, PrefixPointer: 33, PrefixDeadLetter: 25,
}

package pebble

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"xbot.a4b.vn/channel-connector/connector/event"
)

// The first byte of every key says what it holds; doc.go lists the layouts.
const (
	prefixSchema     = 'm'
	prefixClock      = 'a'
	prefixChannel    = 'c'
	prefixEvent      = 'e'
	prefixDuplicate  = 'd'
	prefixLane       = 'l'
	prefixTimer      = 't'
	prefixPointer    = 'p'
	prefixDeadLetter = 'x'
)

type (
	channelKey [8]byte
	laneKey    [16]byte
)

func channelKeyOf(name string) channelKey {
	sum := sha256.Sum256([]byte(name))
	return channelKey(sum[:8])
}

// laneKeyOf shortens a lane's name. Two names that collided would only wait for
// each other.
func laneKeyOf(lane string) laneKey {
	sum := sha256.Sum256([]byte(lane))
	return laneKey(sum[:16])
}

func schemaKey() []byte { return []byte{prefixSchema} }

func clockKey() []byte { return []byte{prefixClock} }

func channelRecordKey(c channelKey) []byte { return prefixed(prefixChannel, c) }

func eventKey(c channelKey, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(prefixed(prefixEvent, c), sequence)
}

func duplicateKey(bucket uint32, c channelKey, id event.ID) []byte {
	k := make([]byte, 0, 1+4+len(c)+len(id))
	k = binary.BigEndian.AppendUint32(append(k, prefixDuplicate), bucket)
	return append(append(k, c[:]...), id[:]...)
}

// duplicateBucketStart is the lower end of every de-duplication key of bucket.
func duplicateBucketStart(bucket uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefixDuplicate}, bucket)
}

func laneRecordKey(c channelKey, l laneKey) []byte {
	return append(prefixed(prefixLane, c), l[:]...)
}

func timerKey(c channelKey, due instant, l laneKey) []byte {
	return append(timerBound(c, due), l[:]...)
}

// timerBound is the lower end of the timers that are due at or after due.
func timerBound(c channelKey, due instant) []byte {
	return appendInstant(prefixed(prefixTimer, c), due)
}

func pointerKey(c channelKey, l laneKey, sequence uint64) []byte {
	k := append(prefixed(prefixPointer, c), l[:]...)
	return binary.BigEndian.AppendUint64(k, sequence)
}

func deadLetterKey(c channelKey, diedAt instant, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(deadLetterBound(c, diedAt), sequence)
}

// deadLetterBound is the lower end of the dead letters of diedAt and later.
func deadLetterBound(c channelKey, diedAt instant) []byte {
	return appendInstant(prefixed(prefixDeadLetter, c), diedAt)
}

// prefixed starts a key with room for the longest one.
func prefixed(prefix byte, c channelKey) []byte {
	k := make([]byte, 0, 40)
	return append(append(k, prefix), c[:]...)
}

// rangeEnd is the smallest key that is larger than every key that starts with
// prefix and c.
func rangeEnd(prefix byte, c channelKey) []byte {
	k := prefixed(prefix, c)
	for i := len(k) - 1; i >= 0; i-- {
		k[i]++
		if k[i] != 0 {
			break
		}
	}
	return k
}

// appendInstant appends t; what lies before the store's beginning sorts as it.
func appendInstant(k []byte, t instant) []byte {
	return binary.BigEndian.AppendUint64(k, uint64(max(t, 0)))
}

// instantAt reads what appendInstant appended.
func instantAt(k []byte) instant { return instant(binary.BigEndian.Uint64(k)) }

// sequenceOf reads the sequence at the end of an event, pointer or dead letter
// key.
func sequenceOf(key []byte) uint64 {
	if len(key) < 8 {
		return math.MaxUint64
	}
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// diedAt reads when the event of a dead letter key died.
func diedAt(key []byte) instant { return instantAt(key[1+len(channelKey{}):]) }

// timerOf reads the due time and the lane of a timer key.
func timerOf(key []byte) (due instant, l laneKey) {
	const at = 1 + len(channelKey{})
	return instantAt(key[at:]), laneKey(key[at+8:])
}

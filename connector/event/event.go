// Package event holds the one value that flows through the connector: from the webhook into the inbox, and from the
// inbox to the sink.
package event

import (
	"encoding/hex"
	"fmt"
	"time"
)

// ID is the idempotency key of an event: the SHA-256 digest that the channel type derives from the call. A platform's
// retry of the same event has the same ID. When in doubt two calls have different IDs, because a wrong "duplicate" is a
// silent loss. IDs are unique within a channel.
type ID [32]byte

// String returns the ID as 64 lower-case hex digits, as consumers see it in the CloudEvents id.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads the form that String writes, in either case of hex digits.
func ParseID(s string) (ID, error) {
	var id ID
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("event id %q: want %d hex digits", s, 2*len(id))
	}
	copy(id[:], raw)
	return id, nil
}

// Event is one event of a channel. It is complete when the channel type returns it, and immutable: it is read without a
// lock, and no one changes the bytes of Body.
//
// The field names are those of CloudEvents 1.0, so that a sink maps them one to one. Every string but Channel may hold
// arbitrary UTF-8 from the platform.
type Event struct {
	// ID is the stable idempotency key.
	ID ID
	// Channel is the configured channel's name, "<namespace>/<name>" under the operator.
	Channel string
	// Source names the account that the event belongs to, for example "/zalo/<app_id>/<oa_id>".
	Source string
	// Type is the reverse-DNS event type, for example "vn.zalo.oa.user_send_text".
	Type string
	// Subject is the platform's id of the user, empty when the event has none.
	Subject string
	// Conversation is the ordering key: events of one conversation are delivered in the order of their acceptance.
	Conversation string
	// Time is the platform's time of the event, or the time of acceptance if the platform's is absent or unusable.
	Time time.Time
	// ContentType is the media type of Body, CloudEvents' datacontenttype.
	ContentType string
	// Body holds the event's bytes as the platform sent them.
	Body []byte
}

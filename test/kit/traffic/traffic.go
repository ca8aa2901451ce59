// Package traffic plays both ends of a connector: the platform that calls it, and the bot that takes its events.
// Afterwards it compares what was acknowledged with what arrived.
package traffic

import (
	"fmt"
	"strings"
)

// Message is the N-th message of a conversation, from 0.
type Message struct{ Conversation, N int }

// String is the message's id on the platform.
func (m Message) String() string { return fmt.Sprintf("c%d-n%d", m.Conversation, m.N) }

// ParseMessage reads a message back from an event.
func ParseMessage(body []byte) (m Message, err error) {
	const before = `"msg_id":"`
	_, rest, found := strings.Cut(string(body), before)
	if !found {
		return m, fmt.Errorf("an event without %s", before)
	}
	_, err = fmt.Sscanf(rest, "c%d-n%d", &m.Conversation, &m.N)
	return m, err
}

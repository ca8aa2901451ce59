// Package traffic plays both ends of a connector: the platform that calls it, and the bot that takes its events.
// Afterwards it compares what was acknowledged with what arrived.
package traffic

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// Message is the N-th message of a conversation, from 0.
type Message struct{ Conversation, N int }

// String is the message's id on the platform.
func (m Message) String() string { return fmt.Sprintf("c%d-n%d", m.Conversation, m.N) }

// written is how a message's id stands in an event of every dialect.
var written = regexp.MustCompile(`"c([0-9]+)-n([0-9]+)"`)

// ParseMessage reads a message back from an event.
func ParseMessage(body []byte) (m Message, err error) {
	id := written.FindSubmatch(body)
	if id == nil {
		return m, errors.New("an event without the id of a message")
	}
	m.Conversation, err = strconv.Atoi(string(id[1]))
	if err == nil {
		m.N, err = strconv.Atoi(string(id[2]))
	}
	return m, err
}

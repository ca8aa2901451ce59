package zalobot

import (
	"bytes"
	"crypto/sha256"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// The members of the body that are read.
const (
	eventName = iota
	messageID
	fromID
	chatID
	chatType
	date
	result
)

var layout = scan.NewLayout(
	scan.At("event_name"), scan.At("message.message_id"), scan.At("message.from.id"), scan.At("message.chat.id"),
	scan.At("message.chat.chat_type"), scan.At("message.date"), scan.Raw("result"),
)

// typePrefix makes an event name a CloudEvents type.
const typePrefix = "vn.zalo.bot."

// The names of events that do not have one of their own.
const (
	unknownName = "unknown"
	// otherName is the name of all undocumented events in metrics.
	otherName = "other"
)

// messages are the documented events. Each is a message, which its id tells from others.
var messages = map[string]bool{
	"message.text.received": true, "message.image.received": true, "message.sticker.received": true, "message.unsupported.received": true,
}

// calls returns the events of a body. An event is posted bare. Some relays wrap it in a result, as the platform's API
// answers a poll, which may be a list.
func (b *Channel) calls(at time.Time, body []byte) ([]channel.Call, *channel.Refusal) {
	m, err := layout.Scan(body)
	if err != nil {
		return nil, channel.Malformed(err)
	}
	wrapped := m.Raw(result)
	switch {
	case m.Given(eventName) || len(wrapped) == 0:
		return []channel.Call{b.identify(at, &m, body)}, nil
	case wrapped[0] == '{':
		return b.call(at, nil, wrapped)
	case wrapped[0] != '[':
		return []channel.Call{b.identify(at, &m, body)}, nil
	}
	var calls []channel.Call
	for element := range scan.Elements(wrapped) {
		var refusal *channel.Refusal
		if calls, refusal = b.call(at, calls, element); refusal != nil {
			return nil, refusal
		}
	}
	return calls, nil
}

// call adds one event of a result.
func (b *Channel) call(at time.Time, calls []channel.Call, body []byte) ([]channel.Call, *channel.Refusal) {
	if len(calls) == channel.MaxCalls {
		return nil, channel.TooMany()
	}
	m, err := layout.Within(body)
	if err != nil {
		return nil, channel.Malformed(err)
	}
	return append(calls, b.identify(at, &m, body)), nil
}

// identify makes the call of an event that arrived at a time.
func (b *Channel) identify(at time.Time, m *scan.Members, body []byte) channel.Call {
	name, knownName := unknownName, otherName
	if given := m.ID(eventName); len(given) > 0 {
		name = string(given)
	}
	if messages[name] {
		knownName = name
	}
	sent := channel.EpochTime(m.ID(date))
	conversation := conversation(m)
	call := channel.Call{Name: name, KnownName: knownName, SentAt: sent, Event: event.Event{
		Channel:      b.name,
		ID:           id(name, conversation, m, body),
		Source:       "/zalobot/" + b.name,
		Type:         typePrefix + name,
		Subject:      string(m.ID(fromID)),
		Conversation: conversation,
		Time:         sent,
		ContentType:  contentType,
		Body:         body,
	}}
	if sent.IsZero() {
		call.Event.Time = at
	}
	return call
}

// conversation is the chat, which may be a group's, else the user, else all that names neither.
func conversation(m *scan.Members) string {
	switch chat, user := m.ID(chatID), m.ID(fromID); {
	case len(chat) > 0 && bytes.Equal(m.ID(chatType), []byte("GROUP")):
		return "group/" + string(chat)
	case len(chat) > 0:
		return "chat/" + string(chat)
	case len(user) > 0:
		return "user/" + string(user)
	default:
		return "bot"
	}
}

// id is the same for every copy of one event. Message ids are told apart by chat, sender and name as well: narrower keys
// have lost messages. An event that is no documented message may name another's id, so its bytes tell it apart, and so
// they do if a member is not held exactly.
func id(name, conversation string, m *scan.Members, body []byte) event.ID {
	message := m.ID(messageID)
	if !messages[name] || len(message) == 0 || m.Lossy() {
		sum := sha256.Sum256(body)
		return digest.Of([]byte(typeName), sum[:])
	}
	return digest.Of([]byte(typeName), []byte(conversation), m.ID(chatID), m.ID(fromID), []byte(name), message)
}

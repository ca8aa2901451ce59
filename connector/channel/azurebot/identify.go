package azurebot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// typePrefix makes an activity's type a CloudEvents type.
const typePrefix = "com.microsoft.bot."

// message is the type of activity whose id is certainly its own.
const message = "message"

// knownTypes maps every documented type of activity to its CloudEvents type. Types appear without notice, so nothing but
// metrics depends on this list.
var knownTypes = func() map[string]string {
	types := map[string]string{}
	for name := range strings.FieldsSeq("message messageUpdate messageDelete messageReaction conversationUpdate contactRelationUpdate " +
		"typing endOfConversation event invoke invokeResponse deleteUserData installationUpdate suggestion trace handoff command commandResult") {
		types[name] = typePrefix + name
	}
	return types
}()

// names returns the activity's own type, its name for metrics and its CloudEvents type.
func names(m *scan.Members) (name, knownName, eventType string) {
	raw := m.ID(activityType)
	if eventType, ok := knownTypes[string(raw)]; ok {
		name = eventType[len(typePrefix):]
		return name, name, eventType
	}
	if len(raw) == 0 {
		return "", "other", typePrefix + "unknown"
	}
	return string(raw), "other", typePrefix + string(raw)
}

// identify makes the call of an authentic activity that arrived at a time.
func (b *Channel) identify(at time.Time, m *scan.Members, body []byte) channel.Call {
	name, knownName, eventType := names(m)
	user := b.user(m)
	conversation := b.conversation(m, user)
	sent := sentAt(m.Text(timestamp))
	call := channel.Call{Name: name, KnownName: knownName, SentAt: sent, Event: event.Event{
		Channel:      b.name,
		ID:           b.eventID(name, conversation, m, body),
		Source:       join(b.source, string(m.ID(channelID))),
		Type:         eventType,
		Subject:      user,
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

// join adds a part to a path, unless there is none.
func join(path, part string) string {
	if part == "" {
		return path
	}
	return path + "/" + part
}

// beginning is the type of the activity with which Direct Line begins a conversation.
const beginning = "conversationUpdate"

// sender returns the id of who sent an activity. Direct Line begins a conversation before it knows the user, and names
// the conversation instead.
func sender(m *scan.Members) []byte {
	id, on := m.ID(fromID), string(m.ID(channelID))
	if (on == "webchat" || on == "directline") && string(m.ID(activityType)) == beginning && bytes.Equal(id, m.ID(conversationID)) {
		return nil
	}
	return id
}

// user names the user; empty if the activity names none.
func (b *Channel) user(m *scan.Members) string {
	id := sender(m)
	if len(id) == 0 || b.userID == UserClear {
		return string(id)
	}
	return b.pseudonym("user", m.ID(channelID), id)
}

// pseudonym stands for an id in this channel. Whoever can guess the id can check the guess.
func (b *Channel) pseudonym(kind string, of, id []byte) string {
	sum := digest.Of([]byte(typeName), []byte(kind), []byte(b.name), of, id)
	return hex.EncodeToString(sum[:16])
}

// conversation is the activity's, else the user's, else the bot's.
func (b *Channel) conversation(m *scan.Members, user string) string {
	id := m.ID(conversationID)
	switch {
	case len(id) > 0 && b.userID != UserClear && (holds(id, sender(m)) || holds(id, m.ID(recipientID))):
		return "conversation/" + b.pseudonym("conversation", m.ID(channelID), id)
	case len(id) > 0:
		return string(id)
	case user != "":
		return join(join("channel", string(m.ID(channelID))), "user/"+user)
	default:
		return join("bot", b.appID)
	}
}

// tellingID is the length from which an id is not found in another one by chance.
const tellingID = 6

// holds reports whether the id of a conversation holds that of a party. Some channels make the one of the other. The
// user and the bot are the two parties whichever of them speaks, so that all activities of a conversation are judged
// alike.
func holds(conversation, party []byte) bool {
	return bytes.Equal(conversation, party) || len(party) >= tellingID && bytes.Contains(conversation, party)
}

// eventID is the same for every retry of one activity. A message has an id of its own. Others may carry that of a message
// that they are about, so only the whole body tells them apart. A member that is not held exactly must not make two
// messages one.
func (b *Channel) eventID(name, conversation string, m *scan.Members, body []byte) event.ID {
	id := m.ID(activityID)
	if name != message || len(id) == 0 || m.Lossy() {
		sum := sha256.Sum256(body)
		return digest.Of([]byte(typeName), []byte(b.appID), sum[:])
	}
	return digest.Of([]byte(typeName), []byte(b.appID), m.ID(channelID), []byte(name), []byte(conversation), m.ID(fromID), id)
}

// sentAt reads the time of an activity; zero if it is not of the usual form.
func sentAt(text []byte) time.Time {
	sent, err := time.Parse(time.RFC3339, string(text))
	if err != nil || sent.Year() < 2001 {
		return time.Time{}
	}
	return sent.UTC()
}

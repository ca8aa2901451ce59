package messenger

import (
	"bytes"
	"crypto/sha256"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// The beginnings of CloudEvents types.
const (
	typePrefix = "com.facebook."
	// messengerPrefix is that of a Page's messages, and of all that belongs to them.
	messengerPrefix = typePrefix + "messenger."
)

// pageObject is the object of a call about Pages.
const pageObject = "page"

// identify makes the call of an authentic item that arrived at a time.
func (m *Channel) identify(at time.Time, i *item) channel.Call {
	name := i.name()
	call := channel.Call{Name: name, KnownName: knownName(name)}
	if m.isForeign(i) {
		call.Kind = channel.KindForeignAccount
		return call
	}
	user := i.user()
	conversation := i.conversation(user)
	call.SentAt = i.sentAt()
	call.Event = event.Event{
		Channel:      m.name,
		ID:           i.id(name, conversation),
		Source:       i.source(),
		Type:         i.eventType(name),
		Subject:      string(user),
		Conversation: conversation,
		Time:         i.happened(),
		ContentType:  contentType,
		Body:         i.body,
	}
	if call.Event.Time.IsZero() {
		call.Event.Time = at
	}
	return call
}

// isForeign reports whether the allow-list keeps an item out. It does not apply to an item that names no Page. An
// unusable id counts as a Page outside the list.
func (m *Channel) isForeign(i *item) bool {
	if len(m.pages) == 0 {
		return false
	}
	return i.pageUnusable || len(i.page) > 0 && !m.pages[string(i.page)]
}

// user returns the side of an item that is not the Page; nil if it names none.
func (i *item) user() []byte {
	if i.list == changes {
		if from := i.members.ID(changeFromID); len(from) > 0 {
			return from
		}
		return i.members.ID(changeSenderID)
	}
	from, to := i.members.ID(senderID), i.members.ID(recipientID)
	switch {
	case bytes.Equal(from, i.page):
		return to
	case bytes.Equal(to, i.page), !isTrue(i.members.Raw(messageIsEcho)):
		return from
	default:
		return to
	}
}

// objectName is whose events a call carries: "page", "instagram" or another.
func (i *item) objectName() string {
	if len(i.object) == 0 {
		return unknownName
	}
	return string(i.object)
}

// conversation is Page and user, else the Page, else all that names none. Ids of different objects may be the same.
func (i *item) conversation(user []byte) string {
	switch object := i.objectName(); {
	case len(i.page) == 0:
		return object
	case len(user) == 0:
		return object + "/" + string(i.page)
	default:
		return object + "/" + string(i.page) + "/user/" + string(user)
	}
}

func (i *item) source() string {
	if len(i.page) == 0 {
		return "/facebook/" + i.objectName()
	}
	return "/facebook/" + i.objectName() + "/" + string(i.page)
}

func (i *item) eventType(name string) string {
	if string(i.object) == pageObject && i.list != changes {
		return messengerPrefix + name
	}
	return typePrefix + i.objectName() + "." + name
}

// id is the same for every retry of one event. Only a message, or its echo, is the one event with its mid: reactions,
// edits and deletions name the mid of another. So the bytes of all others tell them apart, with the entry's time if the
// same bytes may be another event: it is the time of the call, and a retry has another. Members that are not held
// exactly must not make two events one.
func (i *item) id(name, conversation string) event.ID {
	parts := [...][]byte{[]byte(typeName), i.object, i.page, []byte(name), []byte(conversation), nil, nil, nil}
	mid := i.mid()
	switch {
	case len(mid) > 0:
		parts[5] = mid
		return digest.Of(parts[:6]...)
	case !i.isUnique():
		parts[5] = i.time
	}
	sum := sha256.Sum256(i.body)
	parts[6], parts[7] = sum[:], i.around
	return digest.Of(parts[:]...)
}

// mid returns the id of a message that is certainly its own; nil if there is none.
func (i *item) mid() []byte {
	if i.list == changes || i.members.Lossy() || i.around != nil || len(i.members.Raw(messageIsDeleted)) > 0 {
		return nil
	}
	return i.members.ID(messageID)
}

// consolePage is the Page of the samples that Meta's console sends again and again.
const consolePage = "0"

// isUnique reports whether no other event has the bytes of an item. A comment is made once, and so is a lead, and what
// was added at a time. Nothing is known of other changes: a text may be edited to and fro.
func (i *item) isUnique() bool {
	if i.list != changes || string(i.page) == consolePage {
		return i.hasTime()
	}
	switch string(i.members.ID(changeField)) {
	case "comments", "live_comments":
		return len(i.members.ID(changeID)) > 0
	case "leadgen":
		return len(i.members.ID(changeLeadID)) > 0
	}
	return string(i.members.ID(changeVerb)) == "add" && len(i.members.ID(changeCreated)) > 0
}

// hasTime reports whether an item has a time of its own.
func (i *item) hasTime() bool { return i.list != changes && len(i.members.ID(timestamp)) > 0 }

// happened is the item's time, else that of its entry; zero if that is not usable.
func (i *item) happened() time.Time {
	if i.hasTime() {
		return channel.EpochTime(i.members.ID(timestamp))
	}
	return channel.EpochTime(i.time)
}

// sentAt is the time of the entry, else that of the item; zero if neither is usable. Both are signed. An item may tell of
// an older message, and must not make a fresh call a stale one: that would cost all other items of the call.
func (i *item) sentAt() time.Time {
	if sent := channel.EpochTime(i.time); !sent.IsZero() {
		return sent
	}
	return i.happened()
}

package zalo

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strconv"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// parties are the sides of an event; each may be absent.
type parties struct{ oa, user, group []byte }

// identify makes the call of an authentic body that arrived at a time.
func (z *Channel) identify(at time.Time, m *scan.Members, body []byte) channel.Call {
	name, knownName, eventType := names(m)
	call := channel.Call{Name: name, KnownName: knownName}
	if string(m.ID(messageID)) == consoleTestMessageID {
		call.Kind = channel.KindConsoleTest
		return call
	}
	p := z.parties(name, m)
	if z.isForeign(p.oa, m) {
		call.Kind = channel.KindForeignAccount
		return call
	}
	conversation := z.conversation(p)
	call.SentAt = sentAt(m.Text(timestamp))
	call.Event = event.Event{
		Channel:      z.name,
		ID:           z.eventID(name, conversation, p.oa, m, body),
		Source:       z.source(p.oa),
		Type:         eventType,
		Subject:      string(p.user),
		Conversation: conversation,
		Time:         eventTime(m.Text(timestamp)),
		ContentType:  contentType,
		Body:         body,
	}
	if call.Event.Time.IsZero() {
		call.Event.Time = at
	}
	return call
}

// isForeign reports whether an allow-list keeps the event out. No allow-list applies to an event that names no OA, such
// as one about the app. An unusable id in the place of an OA's counts as an OA outside the list.
func (z *Channel) isForeign(oa []byte, m *scan.Members) bool {
	switch {
	case len(z.accounts) == 0:
		return false
	case len(oa) > 0:
		return !z.lists(oa)
	}
	return slices.ContainsFunc([]int{oaID, oaIDCamel, sender, senderID, recipient, recipientID}, m.Unusable)
}

// parties tells the OA from the user.
func (z *Channel) parties(name string, m *scan.Members) parties {
	named := firstOf(m.ID(oaID), m.ID(oaIDCamel))
	if len(m.ID(groupID)) > 0 || len(m.ID(recipientGroupID)) > 0 || isGroup(name) {
		return z.groupParties(named, m)
	}
	oa, user := m.ID(recipientID), m.ID(senderID)
	if z.senderIsOA(name, named, m) {
		oa, user = user, oa
	}
	if isDirect(name) {
		return parties{oa: firstOf(oa, named), user: user}
	}
	return parties{oa: firstOf(named, oa), user: firstOf(m.ID(userID), m.ID(followerID), user)}
}

// groupParties returns the parties of an event of a group. If the group's id has a member of its own, recipient.id may
// be the OA.
func (z *Channel) groupParties(oa []byte, m *scan.Members) parties {
	p := parties{oa: oa, user: m.ID(senderID), group: firstOf(m.ID(groupID), m.ID(recipientGroupID), m.ID(recipientID))}
	if to := m.ID(recipientID); len(p.oa) == 0 && z.lists(to) && !bytes.Equal(to, p.group) {
		p.oa = to
	}
	if bytes.Equal(p.user, p.oa) {
		p.user = nil // the OA itself spoke
	}
	return p
}

// senderIsOA reports whether the OA is the sender. Receipts, reactions and unknown events may go either way: the side
// that is certainly an OA decides. If neither or both are, Zalo's samples decide.
func (z *Channel) senderIsOA(name string, named []byte, m *scan.Members) bool {
	if !isDirect(name) {
		from, to := z.isOA(m.ID(senderID), named), z.isOA(m.ID(recipientID), named)
		if from != to {
			return from
		}
	}
	return isFromOA(name)
}

func (z *Channel) isOA(id, named []byte) bool {
	return len(id) > 0 && (bytes.Equal(id, named) || z.lists(id))
}

// lists reports whether an id is that of an OA on the allow-list.
func (z *Channel) lists(id []byte) bool {
	_, listed := z.accounts[string(id)]
	return listed
}

func firstOf(ids ...[]byte) []byte {
	for _, id := range ids {
		if len(id) > 0 {
			return id
		}
	}
	return nil
}

// conversation is the group, else OA and user, else the OA, else the app. A holder of an OA's own key can name any
// group. So the OA becomes part of the conversation, which then differs from that of another OA.
func (z *Channel) conversation(p parties) string {
	switch {
	case len(p.group) > 0 && z.accounts[string(p.oa)].Configured():
		return "oa/" + string(p.oa) + "/group/" + string(p.group)
	case len(p.group) > 0:
		return "group/" + string(p.group)
	case len(p.oa) > 0 && len(p.user) > 0:
		return "oa/" + string(p.oa) + "/user/" + string(p.user)
	case len(p.oa) > 0:
		return "oa/" + string(p.oa)
	default:
		return "app/" + z.appID
	}
}

func (z *Channel) source(oa []byte) string {
	if len(oa) == 0 {
		return "/zalo/" + z.appID
	}
	return "/zalo/" + z.appID + "/" + string(oa)
}

// eventID is the same for every retry of one event. A message has an id. Other events may share one, such as several
// reactions to one message, so only the whole body tells them apart. A member that is not held exactly must not make
// two messages one.
func (z *Channel) eventID(name, conversation string, oa []byte, m *scan.Members, body []byte) event.ID {
	msgID := m.ID(messageID)
	if !isMessage(name) || len(msgID) == 0 || m.Lossy() {
		sum := sha256.Sum256(body)
		return digest.Of([]byte(typeName), []byte(z.appID), sum[:])
	}
	return digest.Of([]byte(typeName), []byte(z.appID), oa, []byte(name), []byte(conversation), msgID)
}

// eventTime reads milliseconds since the epoch. Zalo's samples have 11 to 13 digits; any other text is unusable, and
// gives the zero time.
func eventTime(text []byte) time.Time {
	if len(text) < 11 || len(text) > usualDigits {
		return time.Time{}
	}
	ms, err := strconv.ParseUint(string(text), 10, 63)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// usualDigits is the number of digits of a timestamp from 2001 to 2286.
const usualDigits = 13

// sentAt is the event's time if its age can be judged by it: timestamps with fewer digits are of no known unit.
func sentAt(text []byte) time.Time {
	if len(text) != usualDigits {
		return time.Time{}
	}
	return eventTime(text)
}

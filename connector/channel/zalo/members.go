package zalo

import (
	"bytes"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/channel/scan"
)

// The members of the body that are read, in the order of the layout.
const (
	eventName = iota
	appID
	timestamp
	oaID
	oaIDCamel
	userID
	groupID
	sender
	senderID
	recipient
	recipientID
	recipientGroupID
	followerID
	message
	messageID
)

var layout = scan.NewLayout(
	scan.At("event_name"), scan.At("app_id"), scan.At("timestamp"), scan.At("oa_id"), scan.At("oaId"), scan.At("user_id"),
	scan.At("group_id"), scan.At("sender"), scan.At("sender.id"), scan.At("recipient"), scan.At("recipient.id"),
	scan.At("recipient.group_id"), scan.At("follower.id"), scan.At("message"), scan.At("message.msg_id"),
).WithLookalikes(looksRead)

// lookalikes are the names of members that may hold an OA's id, and of the objects around them.
var lookalikes = [][]byte{[]byte("oa_id"), []byte("oaId"), []byte("user_id"),
	[]byte("sender"), []byte("recipient"), []byte("follower"), []byte("id")}

// looksRead reports whether an unread member differs only in case from one that may hold an OA's id: some JSON
// libraries, such as Go's, take either.
func looksRead(parent int, name []byte) bool {
	return parent != message && slices.ContainsFunc(lookalikes, func(known []byte) bool { return bytes.EqualFold(known, name) })
}

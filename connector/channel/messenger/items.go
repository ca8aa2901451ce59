package messenger

import (
	"bytes"
	"crypto/sha256"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
)

// The members of a call that are read.
const (
	envelopeObject = iota
	envelopeEntry
)

var envelopeLayout = scan.NewLayout(scan.At("object"), scan.Raw("entry"))

// The members of an entry that are read.
const (
	entryID = iota
	entryTime
	entryMessaging
	entryStandby
	entryChanges
	_ // uid, an older name of the id of a user's entry
)

var entryLayout = scan.NewLayout(
	scan.At("id"), scan.At("time"), scan.Raw("messaging"), scan.Raw("standby"), scan.Raw("changes"), scan.Raw("uid"),
)

// The members of an item of messaging or standby that are read.
const (
	senderID = iota
	recipientID
	timestamp
	message
	messageID
	messageIsEcho
	messageIsDeleted
)

var itemLayout = scan.NewLayout(
	scan.At("sender.id"), scan.At("recipient.id"), scan.At("timestamp"),
	scan.At("message"), scan.At("message.mid"), scan.Raw("message.is_echo"), scan.Raw("message.is_deleted"),
)

// The members of an item of changes that are read.
const (
	changeField = iota
	changeFromID
	changeSenderID
	changeID
	changeLeadID
	changeVerb
	changeCreated
)

var changeLayout = scan.NewLayout(
	scan.At("field"), scan.At("value.from.id"), scan.At("value.sender.id"),
	scan.At("value.id"), scan.At("value.leadgen_id"),
	scan.At("value.verb"), scan.At("value.created_time"),
)

// list says in which list of its entry an item stands.
type list int

const (
	// noList: the item is an entry or a call that has no list of items.
	noList list = iota
	messaging
	standby
	changes
)

// item is one event of a call.
type item struct {
	list list
	// object and page are whom the event belongs to; empty if the call does not say.
	object, page []byte
	// pageUnusable: the page's id is no text, or too long.
	pageUnusable bool
	// time is that of the entry.
	time []byte
	// around is the digest of what tells items apart whose object or page is not held exactly; nil for all others.
	around []byte
	// members are those of the body, by the layout of the list.
	members scan.Members
	// body is the item as it stood in the call.
	body []byte
}

// walk visits the items of a call in their order. An entry that has no items, or more than lists of items, is an item
// itself, and so is a call of which the same is true of its entries: what is not understood is not lost. One malformed
// entry or item refuses the call.
func walk(body []byte, envelope *scan.Members, visit func(*item)) *channel.Refusal {
	w := walker{visit: visit}
	w.item.object = envelope.ID(envelopeObject)
	if envelope.Lossy() {
		w.item.around = sumOf(body)
	}
	outside := w.item
	for entry := range scan.Elements(envelope.Raw(envelopeEntry)) {
		w.item = outside
		if refusal := w.entry(entry); refusal != nil {
			return refusal
		}
	}
	if w.count == 0 || envelope.Others() {
		w.item = outside
		return w.one(noList, body)
	}
	return nil
}

// walker visits the items of a call.
type walker struct {
	visit func(*item)
	count int
	// item is the one that is visited, with what it has in common with its neighbours.
	item item
}

// entry visits the items of an entry.
func (w *walker) entry(entry []byte) *channel.Refusal {
	e, err := entryLayout.Within(entry)
	if err != nil {
		return channel.Malformed(err)
	}
	w.item.page, w.item.pageUnusable, w.item.time = e.ID(entryID), e.Unusable(entryID), e.ID(entryTime)
	if e.Lossy() && w.item.around == nil {
		w.item.around = sumOf(entry)
	}
	before, understood := w.count, !e.Others()
	for _, of := range []struct {
		list list
		raw  []byte
	}{{messaging, e.Raw(entryMessaging)}, {standby, e.Raw(entryStandby)}, {changes, e.Raw(entryChanges)}} {
		understood = understood && (len(of.raw) == 0 || of.raw[0] == '[')
		for element := range scan.Elements(of.raw) {
			if refusal := w.one(of.list, element); refusal != nil {
				return refusal
			}
		}
	}
	if w.count == before || !understood {
		return w.one(noList, entry)
	}
	return nil
}

// one visits an item.
func (w *walker) one(list list, body []byte) *channel.Refusal {
	if w.count++; w.count > channel.MaxCalls {
		return channel.TooMany()
	}
	layout := itemLayout
	if list == changes {
		layout = changeLayout
	}
	members, err := layout.Within(body)
	if err != nil {
		return channel.Malformed(err)
	}
	w.item.list, w.item.members, w.item.body = list, members, body
	w.visit(&w.item)
	return nil
}

func sumOf(body []byte) []byte {
	sum := sha256.Sum256(body)
	return sum[:]
}

// isTrue reports whether a member that was read raw is true.
func isTrue(raw []byte) bool { return bytes.Equal(raw, []byte("true")) }

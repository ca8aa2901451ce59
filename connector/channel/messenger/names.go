package messenger

import (
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
)

// The names of messages.
const (
	nameMessage = "message"
	nameEcho    = "message_echo"
	nameDeleted = "message_deleted"
)

// The names that an item's own members do not give.
const (
	unknownName = "unknown"
	// otherName is the name of all undocumented events in metrics.
	otherName = "other"
)

// The beginnings of names in two of the lists.
const (
	standbyPrefix = "standby_"
	changesPrefix = "changes_"
)

// kinds are the documented members of an item that say what it is. Members appear without notice, so nothing but
// metrics, and the choice between two members of an item, may depend on this list.
var kinds = setOf(
	"postback", "delivery", "read", "reaction", "referral", "optin", "account_linking", "message_edit",
	"pass_thread_control", "take_thread_control", "request_thread_control", "app_roles",
	"policy_enforcement", "policy-enforcement", "hop_context", "messaging_feedback", "game_play", "payment", "pre_checkout", "checkout_update",
)

// knownNames are the names of events in metrics.
var knownNames = func() map[string]bool {
	known := make(map[string]bool)
	for name := range kinds {
		known[name], known[standbyPrefix+name] = true, true
	}
	for _, name := range []string{nameMessage, nameEcho, nameDeleted} {
		known[name], known[standbyPrefix+name] = true, true
	}
	for _, field := range []string{
		"feed", "mention", "mentions", "conversations", "leadgen", "ratings", "videos", "live_videos", "comments", "live_comments",
		"story_insights", "messages", "message_reactions", "messaging_postbacks", "messaging_seen", "messaging_referral", "messaging_handover",
	} {
		known[changesPrefix+field] = true
	}
	return known
}()

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, 2*len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// knownName returns a name for metrics.
func knownName(name string) string {
	if knownNames[name] {
		return name
	}
	return otherName
}

// name returns the name of an event.
func (i *item) name() string {
	switch i.list {
	case changes:
		if field := i.members.ID(changeField); len(field) > 0 {
			return changesPrefix + string(field)
		}
		return changesPrefix + unknownName
	case standby:
		return standbyPrefix + i.kind()
	default:
		return i.kind()
	}
}

// kind names an item by the member that says what it is.
func (i *item) kind() string {
	switch {
	case !i.members.Given(message):
		return ownMember(i.body)
	case isTrue(i.members.Raw(messageIsEcho)):
		return nameEcho
	case isTrue(i.members.Raw(messageIsDeleted)):
		return nameDeleted
	default:
		return nameMessage
	}
}

// shared are the members that items and entries of every kind have.
var shared = setOf(
	"sender", "recipient", "timestamp", nameMessage, "id", "time", "uid", "messaging", "standby", "changes", "object", "entry",
)

// ownMember returns the first documented member that says what an item is, else the first one that not every item has.
func ownMember(body []byte) string {
	own := ""
	for name := range scan.Names(body) {
		switch {
		case kinds[string(name)]:
			return string(name)
		case own == "" && len(name) <= scan.MaxIDLength && !shared[string(name)]:
			own = string(name)
		}
	}
	if own == "" {
		return unknownName
	}
	return own
}

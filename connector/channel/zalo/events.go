package zalo

import (
	"strings"

	"xbot.a4b.vn/channel-connector/connector/channel/scan"
)

// typePrefix makes an event name a CloudEvents type.
const typePrefix = "vn.zalo.oa."

// unknownType is the type of an event without a usable name.
const unknownType = typePrefix + "unknown"

// otherName is the name of all undocumented events in metrics.
const otherName = "other"

// knownTypes maps every documented event name to its CloudEvents type. A name with "{a,b}" stands for one name with
// each. Names appear without notice, so nothing but metrics may depend on this list.
var knownTypes = expand(
	"user_send_{text,image,gif,link,audio,video,sticker,location,business_card,file}",
	"anonymous_send_{text,image,file,sticker}",
	"oa_send_{text,image,gif,list,file,sticker,template,consent}",
	"oa_send_anonymous_{text,image,file,sticker}",
	"user_{received,seen,reacted}_message", "oa_reacted_message",
	"follow", "unfollow", "user_click_chatnow", "user_submit_info", "update_user_info",
	"add_user_to_tag", "remove_user_from_tag", "remove_tag",
	"user_withdraw", "shop_has_order", "user_asking_product",
	"user_reply_consent", "oa_call_user", "user_call_oa", "user_feedback", "user_click_response_button",
	"change_template_{status,quality,quota}", "change_oa_template_tags", "change_oa_daily_quota",
	"{user,oa}_send_group_{text,image,link,audio,location,video,business_card,sticker,gif,file}",
	"widget_interaction_accepted", "widget_failed_to_sync_user_external_id",
	"event_journey_time_out", "event_journey_acknowledged",
	"extension_purchased", "permission_revoked",
	groupLifeCycle,
)

// groupLifeCycle are the events of a group chat that are not messages.
const groupLifeCycle = "{create_group,user_join_group,user_request_join_group,react_request_join_group," +
	"accept_request_join_group,reject_request_join_group,add_group_admin,remove_group_admin," +
	"update_group_info,user_out_group,disperse_group,delete_group}"

var groupLifeCycleTypes = expand(groupLifeCycle)

// expand maps every name that the patterns stand for to its type.
func expand(patterns ...string) map[string]string {
	types := make(map[string]string)
	for len(patterns) > 0 {
		pattern := patterns[0]
		patterns = patterns[1:]
		before, rest, ok := strings.Cut(pattern, "{")
		if !ok {
			types[pattern] = typePrefix + pattern
			continue
		}
		choices, after, _ := strings.Cut(rest, "}")
		for choice := range strings.SplitSeq(choices, ",") {
			patterns = append(patterns, before+choice+after)
		}
	}
	return types
}

// names returns the event's own name, its name for metrics and its type.
func names(m *scan.Members) (name, knownName, eventType string) {
	raw := m.ID(eventName)
	if eventType, ok := knownTypes[string(raw)]; ok {
		name = eventType[len(typePrefix):]
		return name, name, eventType
	}
	if len(raw) == 0 {
		return "", otherName, unknownType
	}
	name = string(raw)
	return name, otherName, typePrefix + name
}

// isMessage reports whether an event is a message, whose id is the same in every retry.
func isMessage(name string) bool { return strings.Contains(name, "_send_") }

// isGroup reports whether recipient.id, or group_id, is a group and not a person.
func isGroup(name string) bool {
	_, ok := groupLifeCycleTypes[name]
	return ok || strings.HasPrefix(name, "user_send_group_") || strings.HasPrefix(name, "oa_send_group_")
}

// isDirect reports whether one of the two sides is the OA, and the name says which one.
func isDirect(name string) bool {
	return strings.HasPrefix(name, "user_send_") || strings.HasPrefix(name, "anonymous_send_") ||
		strings.HasPrefix(name, "oa_send_") || name == "user_submit_info"
}

// isFromOA reports whether the OA is the sender in Zalo's samples. A receipt names the sides of the received message.
func isFromOA(name string) bool {
	return strings.HasPrefix(name, "oa_") || name == "user_received_message"
}

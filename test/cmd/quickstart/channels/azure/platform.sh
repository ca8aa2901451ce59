# Azure Bot Service calls with activities of Web Chat, Teams and the like. Here is no
# Azure that could sign a token, so that the API key alone lets calls in.

name=shop-azure
path=/webhook/xpbot/api/azbot/push
key_name=''
event_shown='with an activity of Direct Line, without a token'
to_make='Make a channel that checks no tokens'
to_save='Take its URL as the messaging endpoint of the bot in Azure, and see that it answers'
to_send='Let a user of Direct Line write a message'

# console looks whether the endpoint answers. Azure does not.
console() { expect 200 '' GET; }

write_event() {
	render "$folder/event.json" "ID=$1" "Time=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)"
	printf '%s' "$rendered"
}

sign() { :; }

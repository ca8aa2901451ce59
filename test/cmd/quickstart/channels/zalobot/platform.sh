# Zalo calls for a bot of a personal account. It signs nothing: every call has the secret
# token that was given to setWebhook.

name=shop-zalobot
path=/webhook/xpbot/api/zalobot/push
key_name='secret token' key_secret=shop-zalobot key_entry=secret-token
event_shown='with a message to a bot, and the secret token'
to_make='Make a channel without its secret token'
to_save='Give its URL and a secret token to setWebhook, and see that it answers'
to_send='Make the Secret with that token, and let Zalo send the message'

# console looks whether the URL answers. setWebhook does not.
console() { expect 200 '' GET; }

write_event() {
	render "$folder/event.json" "ID=$1" "Time=$(date +%s)000"
	printf '%s' "$rendered"
}

sign() { printf 'X-Bot-Api-Secret-Token: %s' "$2"; }

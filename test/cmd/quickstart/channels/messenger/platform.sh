# Meta calls for a page of Facebook. It checks the URL by a handshake with a verify
# token, and signs every call with the app secret.

name=shop-messenger
path=/webhook/xpbot/api/messenger/push
key_name='app secret' key_secret=shop-messenger key_entry=app-secret
event_shown='with a message to a page, signed'
to_make='Make a channel with a verify token, and without the app secret'
to_save="Save its URL and the verify token in Meta's console, which calls it"
to_send='Make the Secret with the app secret, and let Meta send the message'

prepare() { there shop-messenger-verify || apply "$folder/verify-token.yaml" "VerifyToken=$(random_key 16)"; }

# console makes the handshake: the webhook shows the challenge to whoever has the token.
console() {
	local token challenge=$RANDOM$RANDOM query
	token=$(secret shop-messenger-verify verify-token)
	query="&hub.mode=subscribe&hub.challenge=$challenge&hub.verify_token=$token"
	expect 200 "with hub.mode=subscribe, hub.challenge=$challenge and the verify token" GET
	[[ $answer == "$challenge" ]] || fail "the answer to the handshake is not the challenge"
}

write_event() {
	render "$folder/event.json" "ID=$1" "Time=$(date +%s)000"
	printf '%s' "$rendered"
}

sign() {
	printf 'X-Hub-Signature-256: sha256='
	printf '%s' "$1" | hmac "$2"
}

# hmac KEY prints the HMAC-SHA256 of what it reads, by RFC 2104. Of the key, 64 bytes are
# used: a longer one gives way to its digest, and zeros fill up a shorter one.
hmac() {
	local key inner='' outer='' i
	key=$(printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n')
	((${#key} <= 128)) || key=$(printf '%s' "$1" | sha256)
	while ((${#key} < 128)); do key+=00; done
	for ((i = 0; i < 128; i += 2)); do
		printf -v inner '%s\\x%02x' "$inner" $((0x${key:i:2} ^ 0x36))
		printf -v outer '%s\\x%02x' "$outer" $((0x${key:i:2} ^ 0x5c))
	done
	inner=$({ printf '%b' "$inner" && cat; } | sha256)
	printf '%b' "$outer$(sed 's/../\\x&/g' <<<"$inner")" | sha256
}

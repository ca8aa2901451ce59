# How Zalo calls, with the event that xBot publishes as its example.

event=$(<test/kit/example/xbot_example.json)
message_id=cb31dff1c39642cc1b83
path=/webhook/xpbot/api/zalo/push

# member NAME prints a member of the example event whose value is a text.
member() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/" <<<"$event"; }

# sign EVENT KEY prints the header with Zalo's signature of an event.
sign() {
	printf 'X-ZEvent-Signature: mac='
	printf '%s' "$(member app_id)" "$1" "$(member timestamp)" "$2" | sha256
}

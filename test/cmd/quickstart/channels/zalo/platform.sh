# Zalo calls for an Official Account. Its console shows the OA secret key only once it
# has seen the webhook answer.
. test/kit/example/zalo.sh

name=shop
key_name='OA secret key' key_secret=shop-zalo key_entry=oa-secret-key
event_shown="with xBot's example event, signed"
to_make='Make a channel without the OA secret key, which nobody knows yet'
to_save="Save its URL in Zalo's console, which calls it and then shows the OA secret key"
to_send='Make the Secret with that key, and let Zalo send the event'

# console checks the URL as it is pasted.
console() {
	expect 200 'with {}, unsigned' POST '{}'
	expect 200 '' GET
}

write_event() { printf '%s' "${event/$message_id/$1}"; }

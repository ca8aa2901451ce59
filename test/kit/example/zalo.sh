# What the scripts that show the connector share: they call it as Zalo does. Nothing
# but bash and coreutils is needed, and no key is ever an argument of a process.

event=$(<test/kit/example/xbot_example.json)
message_id=cb31dff1c39642cc1b83
path=/webhook/xpbot/api/zalo/push

# fail ends the script. Its EXIT trap tells the reason.
fail() {
	reason=$1
	exit 1
}

# random_key LENGTH prints so many random bytes in hexadecimal digits.
random_key() { od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }

# member NAME prints a member of the example event whose value is a text.
member() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/" <<<"$event"; }

# sign EVENT SECRET prints Zalo's signature of an event.
sign() {
	printf '%s' "$(member app_id)" "$1" "$(member timestamp)" "$2" |
		{ sha256sum 2>/dev/null || shasum -a 256; } | sed 's/^/mac=/; s/ .*//'
}

# render FILE NAME=VALUE... sets rendered to a file with the values in the places that
# look like {{.NAME}}.
render() {
	local pair mark
	rendered=$(<"$1")
	for pair in "${@:2}"; do
		mark="{{.${pair%%=*}}}"
		rendered=${rendered//"$mark"/"${pair#*=}"}
	done
	[[ $rendered != *'{{'* ]] || fail "$1 needs another value"
}

# call METHOD [BODY [SIGNATURE]] calls the webhook at $address with $api_key. It sets
# status, answer and retry_after. Without an answer, status is empty.
call() {
	local LC_ALL=C line body=${2-}
	status='' answer='' retry_after=''
	{ exec 3<>"/dev/tcp/${address%:*}/${address##*:}"; } 2>/dev/null || return 0
	printf '%s %s?param.header.xp-api-key=%s HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\n' "$1" "$path" "$api_key" "$address" >&3
	[[ -z ${3-} ]] || printf 'X-ZEvent-Signature: %s\r\n' "$3" >&3
	printf 'Content-Length: %d\r\n\r\n%s' "${#body}" "$body" >&3
	IFS=' ' read -r -t 20 _ status _ <&3 || true
	while IFS= read -r -t 20 line <&3 && line=${line%$'\r'} && [[ -n $line ]]; do
		[[ $line != [Rr]etry-[Aa]fter:* ]] || retry_after=${line#*: }
	done
	IFS= read -r -t 20 -d '' answer <&3 || true
	answer=${answer%$'\n'}
	exec 3>&-
}

# await WHAT COMMAND... waits until a command succeeds, for as long as a pod may take to
# come up on a busy machine.
patience=120
await() {
	local end=$((SECONDS + patience))
	until "${@:2}"; do
		((SECONDS < end)) || fail "$1: not seen within $patience s${says:+; it says \"$says\"}"
		sleep 0.2
	done
}

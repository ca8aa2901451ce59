# What the scripts that show the connector share: they call its webhook. Nothing but
# bash and coreutils is needed, and no key is ever an argument of a process.

# fail ends the script. Its EXIT trap tells the reason.
fail() {
	reason=$1
	exit 1
}

# random_key LENGTH prints so many random bytes in hexadecimal digits.
random_key() { od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }

# sha256 prints the digest of what it reads, in hexadecimal digits.
sha256() { { sha256sum 2>/dev/null || shasum -a 256; } | sed 's/ .*//'; }

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

# call METHOD [BODY [HEADER]] calls the webhook at $address with $api_key. HEADER is a
# line, or empty; $query, which begins with &, is added to the URL. It sets status, answer
# and retry_after. Without an answer, status is empty.
query=''
call() {
	local LC_ALL=C line body=${2-}
	status='' answer='' retry_after=''
	{ exec 3<>"/dev/tcp/${address%:*}/${address##*:}"; } 2>/dev/null || return 0
	printf '%s %s?param.header.xp-api-key=%s%s HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\n' \
		"$1" "$path" "$api_key" "$query" "$address" >&3
	[[ -z ${3-} ]] || printf '%s\r\n' "$3" >&3
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

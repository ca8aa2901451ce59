#!/usr/bin/env bash
# Shows the connector at work on one machine: `make run` builds the connector and runs
# it. It makes an example configuration in a temporary folder, starts a sink and the
# connector on loopback, sends xBot's published example and a signed event, and shows
# both arriving. Then it serves until Ctrl-C, or with ONCE=1 ends: with exit code 0 only
# if both events came out at the sink.
#
#	[ONCE=1] demo.sh CONNECTOR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
. test/kit/example/webhook.sh
. test/kit/example/zalo.sh

patience=30 # seconds, for what takes a fraction of one
# What to look for at the sink; the example has an id for that.
signed_text='Signed hello from connector send'
binary='' folder='' reason='' sink='' connector='' shows_log=''

title() { printf '\n--- %s\n\n' "$1"; }

# at_exit ends the connector, then the sink, and removes the folder.
at_exit() {
	local ended=$?
	trap - EXIT INT TERM HUP
	[[ -z $connector ]] || end connector "$connector" || ended=1
	[[ -z $sink ]] || end sink "$sink" || ended=1
	if ((ended)); then
		[[ -z $shows_log ]] || reason+=$'\n\nthe connector\'s log:\n'$(<"$folder/connector.log")
		printf '\ndemo: %s\n' "${reason:-failed, see above}" >&2
	fi
	[[ -z $folder ]] || rm -rf "$folder"
	exit "$ended"
}

# end NAME PROCESS ends a process, which has longer than its own grace period. Its exit
# code is that of the process.
end() {
	local late=$((SECONDS + 15)) code=0
	kill "$2" 2>/dev/null || true
	while kill -0 "$2" 2>/dev/null; do
		if ((SECONDS > late)); then
			kill -KILL "$2"
			reason="the $1 had not ended 15 s after SIGTERM and was killed"
		fi
		sleep 0.05
	done
	wait "$2" || code=$?
	((code == 0)) || reason=${reason:-the $1 ended with exit code $code}
	return "$code"
}

# listens ADDRESS reports whether an address takes connections.
listens() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }

# choose PORT sets chosen to an address of loopback: that port, or the next one that
# nothing else uses.
choose() {
	local port=$1
	while listens "127.0.0.1:$port"; do port=$((port + 1)); done
	[[ $port == "$1" ]] || echo "127.0.0.1:$1 is in use; taking 127.0.0.1:$port instead."
	chosen=127.0.0.1:$port
}

# prepare chooses where everything listens and writes the configuration.
prepare() {
	choose 8080 && address=$chosen
	choose 8090 && sink_address=$chosen
	choose 9090 && metrics_address=$chosen
	folder=$(mktemp -d "${TMPDIR:-/tmp}/connector-demo-XXXXXX")
	config=$folder/connector.yaml api_key=$(random_key 32) secret=$(random_key 16)
	umask 077 # the files have the keys
	render test/cmd/demo/connector.yaml.tmpl "Server=$address" "Sink=$sink_address" "Metrics=$metrics_address" \
		"AppID=$(member app_id)" "Secret=$secret" "APIKey=$api_key"
	printf '%s\n' "$rendered" >"$config"
	printf '%s' "$api_key" >"$folder/api-key"
	printf '%s' "$secret" >"$folder/oa-secret-key"
}

start() {
	set -m # the two are out of reach of the terminal's Ctrl-C: they end in turn
	"$binary" display --address "$sink_address" --format text > >(trap '' INT && exec tee "$folder/shown") &
	sink=$!
	await "the sink's listener" serves sink "$sink" listens "$sink_address"
	shows_log=yes
	"$binary" serve --config "$config" >"$folder/connector.log" 2>&1 &
	connector=$!
	set +m
	await "the connector's readiness" serves connector "$connector" ready
	printf 'Serving http://%s%s, delivering to http://%s/events\n' "$address" "$path" "$sink_address"
}

# serves NAME PROCESS COMMAND... runs a command, unless a process has ended.
serves() {
	kill -0 "$2" 2>/dev/null || fail "the $1 ended by itself"
	"${@:3}"
}

ready() { address=$metrics_address path=/readyz call GET && [[ $status == 200 ]]; }

# arrives TEXT waits until the sink has printed it.
arrives() { await "\"$1\" at the sink" serves sink "$sink" grep -qF "$1" "$folder/shown"; }

# show sends both events and waits until the sink has printed them.
show() {
	title "xBot's published example, byte for byte and unsigned"
	call POST "$event"
	printf '%s %s\n\n' "$status" "$answer"
	[[ $status == 200 ]] || fail 'the connector did not accept the example'
	arrives "$message_id"
	title 'An event that connector send signs as Zalo does'
	"$binary" send --url "http://$address$path" --api-key-file "$folder/api-key" --secret-file "$folder/oa-secret-key" \
		--app-id "$(member app_id)" --text "$signed_text" || fail 'connector send failed, see above'
	arrives "$signed_text"
}

# explain says what to try while the connector goes on serving.
explain() {
	local own_event='{"event_name":"user_send_text","app_id":"'$(member app_id)'","sender":{"id":"1"},"recipient":{"id":"2"},'
	own_event+='"message":{"text":"Hello","msg_id":"1"}}'
	title 'Now you'
	cat <<END
Post an event of your own; it appears here:

  curl -sS 'http://$address$path?param.header.xp-api-key=$api_key' -d '$own_event'

The same again is a duplicate: 200, but nothing arrives. Change msg_id.
Look inside:

  $binary status --config $config
  $binary deadletters list --config $config
  curl -s http://$metrics_address/metrics

Edit the configuration; it is applied without a restart:

  $config

Ctrl-C ends everything and removes the configuration and the inbox.
END
}

main() {
	binary=$1
	trap at_exit EXIT
	trap 'fail interrupted' INT TERM HUP
	prepare
	start
	show
	if [[ ${ONCE:-0} != 0 ]]; then
		printf '\nBoth events went in over HTTP, were stored durably, and came out at the sink.\n'
		return
	fi
	explain
	trap 'printf "\nStopping.\n"; exit 0' INT TERM HUP
	while serves connector "$connector" serves sink "$sink" true; do sleep 0.2; done
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"

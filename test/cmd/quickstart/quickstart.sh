#!/usr/bin/env bash
# Shows the connector at work in Kubernetes: `make quickstart` runs it. It starts a
# cluster, makes the images and installs the operator with its Helm chart, then goes the
# way of a platform's console: it makes a channel without the key that verifies calls,
# makes the calls that check its URL, makes the Secret with the key, sends an event as the
# platform does, and shows what the bot gets. Every step says how long it took, and a
# failed one where to look. A second run goes on from where the first one was, and sends
# another event; so does one with another CHANNEL, which gets a channel of its own. "down"
# removes everything.
#
#	[CHANNEL=NAME] [CLUSTER=local|kind|current] [IMAGE=NAME] [VERSION=TAG] quickstart.sh up|down
#
# CHANNEL is a folder of channels, which says all that is particular to its platform. The
# operator's image is IMAGE with -operator added; the version is the images' tag.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
. test/kit/example/webhook.sh

cluster=${CLUSTER:-local} image=${IMAGE:-channel-connector} version=${VERSION:-dev}
platform=${CHANNEL:-zalo}

# Where things are in the cluster. The manifests say so, too.
namespace=quickstart
operator=deployment/quickstart-channel-connector-operator
sink=deployment/bot

timeout=--timeout=${patience}s
kubectl=(kubectl --namespace "$namespace")
helm=(go tool -modfile=tools/helm/go.mod helm --namespace "$namespace")
in_cluster=(go -C localcluster run ./cmd/cluster -cluster "$cluster")
manifests=test/cmd/quickstart/manifests
channels=test/cmd/quickstart/channels

# The connector recognises repetitions, so each run's event has an id of its own.
message=$(random_key 10)
number=0 steps=0 title='' looks=() reason='' says='' binaries='' forwarder='' work=''

# choose_platform reads what CHANNEL's folder says in its platform.sh:
#
#	name			of the ChannelConnector in channel.yaml
#	path			of its webhook
#	key_name		what people call the key that verifies calls; empty if there is none
#	key_secret, key_entry	the Secret of secret.yaml, and its key
#	event_shown		how the event comes: "with xBot's example event, signed"
#	to_make, to_save, to_send	the titles of three steps
#	prepare			makes what the channel needs, but for its API key
#	console			makes the calls that check the URL
#	write_event ID		prints an event with an id of its own
#	sign EVENT KEY		prints the header that verifies an event
choose_platform() {
	folder=$channels/$platform
	[[ $platform != *[!a-z]* && -d $folder ]] || fail "there is no channel \"$platform\": CHANNEL is one of $(platforms)"
	prepare() { :; }
	. "$folder/platform.sh"
	channel=channelconnector/$name connector=deployment/$name-connector
	own_event=$(write_event "$message")
}

# platforms [BUT] lists those that there are, but for one.
platforms() {
	local each all=''
	for each in "$channels"/*; do
		each=${each##*/}
		[[ $each == "${1-}" ]] || all+="${all:+, }$each"
	done
	printf '%s' "$all"
}

# run shows a command and what it prints.
run() {
	printf '$ %s\n' "$*"
	"$@" || fail "${1##*/} failed, see above"
}

# apply MANIFEST NAME=VALUE... applies a manifest.
apply() {
	render "$@"
	printf '%s:\n' "$1"
	run "${kubectl[@]}" apply --server-side --filename=- <<<"$rendered"
}

# step TITLE FUNCTION LOOK... does a part of the whole that can fail on its own. Each
# LOOK is a command that shows why it failed.
step() {
	number=$((number + 1)) title=$1 looks=("${@:3}")
	printf '\n=== %d/%d %s\n\n' "$number" "$steps" "$title"
	local begun=$SECONDS
	"$2"
	printf '\n    done after %d s\n' $((SECONDS - begun))
	title=''
}

# at_exit cleans up, and says why a step failed: the last lines of each place to look.
at_exit() {
	local failed=$? look ended
	trap - EXIT INT TERM HUP
	[[ -z $forwarder ]] || kill "$forwarder" 2>/dev/null || true
	[[ -z $work ]] || rm -rf "$work"
	((failed)) || return 0
	if [[ -n $title && $reason != interrupted* ]]; then
		for look in ${looks[@]+"${looks[@]}"}; do
			printf '\n--- look at: %s\n' "$look"
			ended=0
			bounded bash -c "$look" 2>&1 </dev/null | tail -n 20 | sed 's/^/  /' || ended=${PIPESTATUS[0]}
			((ended == 0)) || printf '  (exit status %d)\n' "$ended"
		done
		reason="step $number, $title: ${reason:-a command failed, see above}"
	fi
	printf '\nquickstart: %s\n' "${reason:-failed, see above}" >&2
	exit 1
}

# bounded runs a command for 20 s at most, where the machine has a program for that.
bounded() { if command -v timeout >/dev/null; then timeout 20 "$@"; else "$@"; fi; }

guard() {
	trap at_exit EXIT
	trap 'fail "interrupted; run it again to go on, or \"make quickstart-down\" to remove everything"' INT TERM HUP
}

start_cluster() {
	run "${in_cluster[@]}" up
	enter
}

# enter turns every kubectl and helm that follows to the cluster.
enter() {
	KUBECONFIG=$("${in_cluster[@]}" kubeconfig) || fail "the cluster has no kubeconfig"
	export KUBECONFIG
	[[ $cluster == local ]] || return 0 # the owner of a cluster has a kubectl
	binaries=$(go -C localcluster run ./cmd/controlplane) || fail "there is no kubectl"
	export PATH=$binaries:$PATH
}

# load_images makes the images for this machine's kind of processor only.
load_images() {
	if [[ $cluster == current ]]; then
		echo "The cluster pulls $image:$version and $image-operator:$version: see that it can."
		return
	fi
	local processor
	processor=$(go env GOARCH)
	run make --no-print-directory images "PLATFORMS=linux/$processor" "IMAGE=$image" "VERSION=$version"
	run "${in_cluster[@]}" load-image "$PWD/dist/images/"{connector,operator}"-linux-$processor.tar"
}

# ours fails if the namespace belongs to another, who would miss it afterwards.
ours() {
	local found
	found=$("${kubectl[@]}" get namespace "$namespace" --ignore-not-found \
		'--output=jsonpath={.metadata.name} by {.metadata.labels.app\.kubernetes\.io/managed-by}')
	[[ -z $found || $found == "$namespace by quickstart" ]] || fail \
		"the cluster has a namespace \"$namespace\" that this quickstart did not make: it leaves it alone, and has no other name for its own"
}

install_operator() {
	ours
	apply "$manifests/namespace.yaml"
	# Nothing stays after quickstart-down: the definitions go with the release.
	run "${helm[@]}" upgrade --install --hide-notes quickstart charts/channel-connector \
		--set-string "connector.image.repository=$image" --set-string "connector.image.tag=$version" \
		--set-string "operator.image.repository=$image-operator" --set-string "operator.image.tag=$version" \
		--set crds.keep=false --wait "$timeout"
}

deploy_sink() {
	apply "$manifests/sink.yaml" "Image=$image:$version"
	run "${kubectl[@]}" rollout status "$sink" "$timeout"
}

# make_channel leaves Secrets alone that are there: the keys in them may have been
# rotated by hand. awaiting is yes if the key that verifies calls is not there yet.
make_channel() {
	secrets=$("${kubectl[@]}" get secrets --output=name)
	there "$name-xbot" || apply "$manifests/api-key.yaml" "Name=$name" "APIKey=$(random_key 32)"
	prepare
	apply "$folder/channel.yaml"
	awaiting=no
	if [[ -n $key_name ]] && ! there "$key_secret"; then
		awaiting=yes
		run "${kubectl[@]}" wait --for=condition=WorkloadAvailable "$channel" "$timeout"
		await "that the channel awaits its $key_name" awaits_key
		printf '\nIts condition, which kubectl describe %s shows:\n\n  %s\n' "$channel" "$says"
		says=''
		return
	fi
	[[ -z $key_name ]] || echo "The $key_name is there since an earlier run."
	run "${kubectl[@]}" wait --for=condition=Ready "$channel" "$timeout"
}

# there SECRET reports whether a Secret was there when make_channel began.
there() { [[ $'\n'$secrets$'\n' == *$'\n'"secret/$1"$'\n'* ]]; }

awaits_key() {
	says=$("${kubectl[@]}" get "$channel" '--output=jsonpath={range .status.conditions[?(@.type=="CredentialsResolved")]}{.type}={.status} {.reason}: {.message}{end}') ||
		fail "the channel cannot be read"
	[[ $says == 'CredentialsResolved=False Awaiting'* ]]
}

# secret NAME KEY prints a value, which is never shown.
secret() { "${kubectl[@]}" get secret "$1" "--output=jsonpath={.data.$2}" | base64 --decode; }

# calling FUNCTION lets the platform call the channel from here. Its Service has an address in
# the cluster alone, as it does behind an Ingress.
calling() {
	shown=$("${kubectl[@]}" get "$channel" '--output=jsonpath={.status.address.url}')$path
	api_key=$(secret "$name-xbot" xp-api-key)
	local forward=("${kubectl[@]}" port-forward "service/$name-connector" :http)
	printf '$ %s\n\n' "${forward[*]}"
	work=${work:-$(mktemp -d)}
	: >"$work/forward"
	"${forward[@]}" >"$work/forward" &
	forwarder=$!
	await 'the way to the connector' forwards
	"$1"
	kill "$forwarder"
	wait "$forwarder" 2>/dev/null || true
	forwarder=''
}

forwards() {
	kill -0 "$forwarder" 2>/dev/null || fail 'kubectl port-forward ended'
	[[ $(<"$work/forward") =~ Forwarding\ from\ (127\.0\.0\.1:[0-9]+) ]] && address=${BASH_REMATCH[1]}
}

# show WHAT METHOD shows a call without its keys; said is the answer to the last one.
show() { printf '%s %s?param.header.xp-api-key=<API key>%s\n' "$2" "$shown" "${1:+ $1}"; }
said() { printf '%s %s%s' "$status" "$answer" "${retry_after:+ (Retry-After: $retry_after)}"; }

# expect STATUS WHAT METHOD [BODY [HEADER]] makes a call, and fails if it is answered
# otherwise.
expect() {
	show "$2" "$3"
	call "${@:3}"
	[[ -n $status ]] || fail 'no answer from the connector'
	printf '    %s\n' "$(said)"
	[[ $status == "$1" ]] || fail "the connector answered $status, want $1"
}

# insist WHAT METHOD [BODY [HEADER]] makes the same call until it is accepted. 503
# asks for no more than that.
insist() {
	local begun=$SECONDS unavailable=0
	show "$1" "$2"
	await 'that the event is accepted' accepted "${@:2}"
	printf '    %s\n\nAccepted after %d s. Calls answered 503 before that: %d.\n' "$(said)" $((SECONDS - begun)) "$unavailable"
}

accepted() {
	call "$@"
	case $status in
	200) ;;
	503) unavailable=$((unavailable + 1)) && return 1 ;;
	'') fail 'no answer from the connector' ;;
	*) fail "the connector answered $(said)" ;;
	esac
}

# save_url does what the platform does when a person gives it the webhook's URL. An event
# that comes before the key is refused, so that the platform sends it again.
save_url() { calling verify; }

verify() {
	console
	[[ $awaiting == yes ]] || return 0
	key=$(random_key 16)
	printf '\nAn event that comes now cannot be verified yet:\n'
	expect 503 "$event_shown" POST "$own_event" "$(sign "$own_event" "$key")"
}

# receive makes the Secret that is awaited, if any, and sends the event until it is
# accepted, as the platform does.
receive() {
	calling send_event
	run "${kubectl[@]}" wait --for=condition=Ready "$channel" "$timeout"
}

send_event() {
	if [[ $awaiting == yes ]]; then
		apply "$folder/secret.yaml" "Key=$key"
	elif [[ -n $key_name ]]; then
		key=$(secret "$key_secret" "$key_entry")
	fi
	insist "$event_shown" POST "$own_event" "$(sign "$own_event" "${key-}")"
}

# show_delivered shows what the sink got.
show_delivered() {
	await 'the event at the sink' delivered
	printf '%s\n' "$got"
}

delivered() {
	local log
	log=$("${kubectl[@]}" logs "$sink") || fail "the sink's log cannot be read"
	got=$(block_with "$message" <<<"${log#Waiting for events*$'\n'}")
	[[ -n $got ]]
}

# block_with TEXT prints the first block of lines that holds it; blocks are parted by
# empty lines.
block_with() { awk -v RS= -v text="$1" 'index($0, text) && !found {print; found = 1}'; }

up() {
	local begun=$SECONDS
	choose_platform
	local pods="${kubectl[*]} get pods --output=wide" events="${kubectl[*]} get events --sort-by=.lastTimestamp"
	local condition="${kubectl[*]} describe $channel" log="${kubectl[*]} logs $connector" operator_log="${kubectl[*]} logs $operator"
	steps=8
	step 'Start the cluster' start_cluster "${in_cluster[*]} status"
	step 'Make the images and load them into the cluster' load_images
	step 'Install the operator with Helm' install_operator "$pods" "$events" "$operator_log"
	step 'Deploy a sink in the place of a bot' deploy_sink "$pods" "$events"
	step "$to_make" make_channel "$pods" "$events" "$operator_log" "$log" "$condition"
	step "$to_save" save_url "$pods" "$condition" "$log"
	step "$to_send" receive "$pods" "$condition" "$operator_log" "$log"
	step 'See it arrive at the sink as a CloudEvent' show_delivered "$pods" "${kubectl[*]} logs $sink" "$log" \
		"${kubectl[*]} exec $connector -- /connector status"
	printf '\nAll that took %d s.\n' $((SECONDS - begun))
	advise "$KUBECONFIG"
}

# advise KUBECONFIG says what to try next.
advise() {
	local of='' lead=''
	[[ $cluster == local ]] || of=" CLUSTER=$cluster"
	[[ -z $binaries ]] || lead=$'\n'"  export PATH=$binaries:\$PATH"
	render test/cmd/quickstart/advice.txt "Kubeconfig=$1" "Path=$lead" "Namespace=$namespace" "Cluster=$of" \
		"Name=$name" "Channel=$platform" "Others=$(platforms "$platform")"
	printf '%s\n' "$rendered"
}

# down removes everything. Of the user's own cluster, only the quickstart's part goes.
down() {
	steps=1
	if [[ $cluster == current ]]; then
		steps=2
		step 'Remove everything from the cluster' empty "${kubectl[*]} get all"
		step 'Forget which cluster it was' remove_cluster
		return
	fi
	step 'Remove the cluster' remove_cluster
}

remove_cluster() { run "${in_cluster[@]}" down; }

empty() {
	enter
	ours
	run "${helm[@]}" uninstall quickstart --ignore-not-found --wait "$timeout"
	run "${kubectl[@]}" delete namespace "$namespace" --ignore-not-found "$timeout"
}

main() {
	guard
	case ${1-} in
	up | down) "$1" ;;
	*) fail "say up or down, not \"${1-}\"" ;;
	esac
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"

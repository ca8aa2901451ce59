package config_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// edit replaces strings of text in pairs; each must be there.
func edit(tb testing.TB, text string, pairs ...string) string {
	tb.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			tb.Fatalf("no %q to replace in:\n%s", pairs[i], text)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// A flaw is an edit of minimal and the problems that it makes, without the name of the file; DIR stands for the folder.
type flaw struct {
	name  string
	edits []string
	want  []string
}

func (f flaw) text(tb testing.TB) string { tb.Helper(); return edit(tb, minimal, f.edits...) }

const (
	afterKind  = "kind: ConnectorConfig\n"
	inboxPath  = "    path: inbox\n"
	appID      = `    appID: "2553928453557884079"` + "\n"
	oaKey      = "      - value: HiddenValue-oa-secret\n"
	webhook    = "  webhook:\n"
	apiKeys    = "    apiKeys:\n"
	apiKey     = "      value: HiddenValue-api-key-0123456789abcdef\n"
	sinkHTTP   = "    http:\n"
	sinkURL    = "      url: http://bot.chat.svc/events\n"
	secondShop = `- name: chat/other
  type: ZaloOA
  zaloOA: {appID: "1", signature: {mode: "Off"}}
  webhook: {apiKeys: [{name: first, value: HiddenValue-other-key-0123456789abcdef}]}
  sink: {http: {url: "http://bot.chat.svc/events"}}
`
)

// under adds a line below another.
func under(line, added string) []string { return []string{line, line + added} }

var problems = slices.Concat(documentProblems, valueProblems)

// valueProblems are of values that are read and then found wrong.
var valueProblems = []flaw{
	// The process.
	{"version", []string{"v1alpha1", "v9"}, []string{`:1: apiVersion: want "connector.xbot.a4b.vn/v1alpha1"`}},
	{"kind", []string{afterKind, ""}, []string{`:1: kind: want "ConnectorConfig"`}},
	{"address", under(afterKind, "server: {address: \"8080\"}\n"), []string{
		`:3: server.address: "8080" is no address: write for example ":8080" or "127.0.0.1:8080"`}},
	{"port", under(afterKind, "metrics: {address: \":65536\"}\n"), []string{
		`:3: metrics.address: ":65536" is no address: write for example ":8080" or "127.0.0.1:8080"`}},
	{"one address twice", under(afterKind, "metrics: {address: \":8080\"}\n"), []string{
		`:3: metrics.address: the same as server.address: it must be unique`}},
	{"admin by socket and address", under(afterKind, "admin: {address: \"127.0.0.1:9091\", socket: a.sock}\n"), []string{
		":3: admin: both socket and address: write one of them"}},
	{"admin socket too long", under(afterKind, "admin: {socket: /"+strings.Repeat("a", config.MaxSocketPath)+"}\n"), []string{
		":3: admin.socket: /" + strings.Repeat("a", config.MaxSocketPath) +
			" has 108 bytes, and a socket's path may have 107: write a shorter one, for example \"/run/connector/admin.sock\""}},
	{"public admin", under(afterKind, "admin: {address: \":9091\"}\n"), []string{
		`:3: admin.address: "" is not a loopback host, and the admin API asks for no password: write for example "127.0.0.1:9091"`}},
	{"body room", under(afterKind, "server: {maxBufferedBytes: 1k}\n"), []string{
		":3: server.maxBufferedBytes: want at least the largest webhook.maxBodySize, 1048576 bytes"}},
	{"calls in flight", under(afterKind, "server: {maxInFlight: 0}\n"), []string{":3: server.maxInFlight: want 1 to 100000, not 0"}},
	{"server without key", under(afterKind, "server: {tls: {certFile: a.pem}}\n"), []string{":3: server.tls.keyFile: required"}},
	{
		"server without certificate", under(afterKind, "server: {tls: {}}\n"),
		[]string{":3: server.tls.certFile: required", ":3: server.tls.keyFile: required"},
	},
	{"server files missing", under(afterKind, "server:\n  tls:\n    certFile: a.pem\n    keyFile: sub\n"), []string{
		":5: server.tls.certFile: the file cannot be read: no such file or directory (a relative path begins at the folder of this file)",
		":6: server.tls.keyFile: the file cannot be read: not a regular file (a relative path begins at the folder of this file)"}},
	{"server files wrong", under(afterKind, "server: {tls: {certFile: garbage, keyFile: garbage}}\n"), []string{
		":3: server.tls.certFile: DIR/garbage holds no certificate in PEM: write a \"BEGIN CERTIFICATE\" block"}},
	{"inbox type", under("inbox:\n", "  type: JetStream\n"), []string{`:4: inbox.type: want "Embedded"`}},
	{"no inbox", []string{"  embedded:\n    path: inbox\n", ""}, []string{":3: inbox.embedded.path: required"}},
	{"no inbox path", []string{"path: inbox", "path: ''"}, []string{":5: inbox.embedded.path: required"}},
	{"inbox size", under(inboxPath, "    maxSize: 63Mi\n"), []string{":6: inbox.embedded.maxSize: want at least 64Mi"}},
	{"short window", under("inbox:\n", "  deduplicationWindow: 1h59m\n"), []string{
		":4: inbox.deduplicationWindow: want at least 2h: Zalo retries for 1 h 50 min"}},
	{
		"dispatch", under(afterKind, "dispatch: {maxConcurrency: 100001}\n"),
		[]string{":3: dispatch.maxConcurrency: want 1 to 100000, not 100001"},
	},
	{"stop", under(afterKind, "stop: {drainDelay: 30s, pending: Drop}\n"), []string{
		":3: stop.gracePeriod: must be longer than drainDelay (30s)",
		`:3: stop.pending: want "Keep" or "Deliver"`}},
	{"log level", under(afterKind, "log: {level: WARN}\n"), []string{`:3: log.level: want "debug" or "info" or "warn" or "error"`}},
	{"short report token", under(afterKind, "report: {token: {value: HiddenValue-abc}}\n"), []string{
		`:3: report.token: is shorter than 16 characters, so that it can be guessed: make one with "openssl rand -hex 32"`}},
	{
		"report token without a source", under(afterKind, "report: {token: {}}\n"),
		[]string{":3: report.token: set exactly one of value, file and missing"},
	},
	{"negative delay", under(afterKind, "stop: {drainDelay: -1s}\n"), []string{":3: stop.drainDelay: must not be negative"}},

	// A channel and its type.
	{"no name", []string{"name: chat/shop", "name:"}, []string{":7: channels[0].name: required"}},
	{
		"name with a blank", []string{"chat/shop", "my shop"},
		[]string{":7: channels[0].name: must hold no white space and no control characters"},
	},
	{
		"name with a control character", []string{"chat/shop", `"a\x7f"`},
		[]string{":7: channels[0].name: must hold no white space and no control characters"},
	},
	{"long name", []string{"chat/shop", strings.Repeat("n", 321)}, []string{":7: channels[0].name: want at most 320 bytes, not 321"}},
	{"same name", []string{sinkURL, sinkURL + strings.Replace(secondShop, "other", "shop", 1)}, []string{
		":21: channels[1].name: the same as channels[0].name: it must be unique"}},
	{"channel type", []string{"type: ZaloOA", "type: Telegram"}, []string{
		":8: channels[0].type: want " + channelTypes()}},
	{"no member", []string{minimal[strings.Index(minimal, "  zaloOA:"):strings.Index(minimal, webhook)], ""}, []string{
		":7: channels[0].zaloOA: required for type ZaloOA"}},
	{"no app", []string{appID, ""}, []string{":9: channels[0].zaloOA.appID: required"}},
	{"app", []string{"2553928453557884079", "12a"}, []string{":10: channels[0].zaloOA.appID: want decimal digits only"}},
	{"no OA key", []string{"secretKeys:\n" + oaKey, "mode: Audit\n"}, []string{
		`:11: channels[0].zaloOA.signature.secretKeys: want at least one key, here or in officialAccounts, or mode "Off"; ` +
			`before Zalo's console shows the first one, name a file that does not exist yet`}},
	{"mode", []string{"    signature:\n", "    signature:\n      mode: off\n"}, []string{
		`:12: channels[0].zaloOA.signature.mode: want "Enforce" or "Audit" or "Off"`}},
	{"OA keys",
		[]string{
			oaKey, "      - {}\n      - {value: HiddenValue, file: empty}\n      - file: empty\n      - file: big\n      - value: ' HiddenValue'\n",
		}, []string{
			":13: channels[0].zaloOA.signature.secretKeys[0]: set exactly one of value, file and missing",
			":14: channels[0].zaloOA.signature.secretKeys[1]: set exactly one of value, file and missing",
			":15: channels[0].zaloOA.signature.secretKeys[2].file: DIR/empty is empty",
			":16: channels[0].zaloOA.signature.secretKeys[3].file: DIR/big is larger than 64 KiB: put the credential alone into it",
			":17: channels[0].zaloOA.signature.secretKeys[4].value: must not begin or end with white space"}},
	{"OA key is an API key", []string{oaKey, "      - value: HiddenValue-api-key-0123456789abcdef\n"}, []string{
		":13: channels[0].zaloOA.signature.secretKeys[0]: is the same as the API key in channels[0].webhook.apiKeys[0]: " +
			"the two are different things, copy the OA secret key from Zalo's console"}},
	{"OA key is an API key given as a digest",
		[]string{apiKey, fmt.Sprintf("      sha256: %x\n", sha256.Sum256([]byte("HiddenValue-oa-secret")))}, []string{
			":13: channels[0].zaloOA.signature.secretKeys[0]: is the same as the API key in channels[0].webhook.apiKeys[0]: " +
				"the two are different things, copy the OA secret key from Zalo's console"}},
	{"accounts", under(appID, "    officialAccounts:\n    - {displayName: a}\n    - {id: \"1\"}\n    - {id: \"1\"}\n"), []string{
		":12: channels[0].zaloOA.officialAccounts[0].id: required",
		":14: channels[0].zaloOA.officialAccounts[2].id: the same as channels[0].zaloOA.officialAccounts[1].id: it must be unique"}},
	{"code twice", under(appID, "    domainVerification: {codes: [a, b, a]}\n"), []string{
		":11: channels[0].zaloOA.domainVerification.codes[2]: the same as channels[0].zaloOA.domainVerification.codes[0]: it must be unique"}},
	{"code", under(appID, "    domainVerification: {codes: [a/b]}\n"), []string{
		":11: channels[0].zaloOA.domainVerification.codes[0]: want letters, digits, - and _ only"}},

	// The way in.
	{"query in the path", under(webhook, "    path: /push?a\n"), []string{
		`:15: channels[0].webhook.path: want a plain URL path such as "/webhook/xpbot/api/zalo/push", without a query, a fragment or escapes`}},
	{"relative path", under(webhook, "    path: push\n"), []string{
		`:15: channels[0].webhook.path: want a plain URL path such as "/webhook/xpbot/api/zalo/push", without a query, a fragment or escapes`}},
	{"dots in the path", under(webhook, "    path: /a/..\n"), []string{
		`:15: channels[0].webhook.path: want a plain URL path such as "/webhook/xpbot/api/zalo/push", without a query, a fragment or escapes`}},
	{"double slash in the path", under(webhook, "    path: /a//b\n"), []string{
		`:15: channels[0].webhook.path: want a plain URL path such as "/webhook/xpbot/api/zalo/push", without a query, a fragment or escapes`}},
	{
		"root path", under(webhook, "    path: /\n"),
		[]string{":15: channels[0].webhook.path: pages of the types of channels take \"/\": write another path"},
	},
	{"guessable API key", []string{"value: HiddenValue-api-key-0123456789abcdef", "value: HiddenValue-ab"}, []string{
		`:16: channels[0].webhook.apiKeys[0]: is shorter than 16 characters, so that it can be guessed: make one with "openssl rand -hex 32"`}},
	{"age below Zalo's retries", under(webhook, "    maxEventAge: 1h59m\n"), []string{
		":15: channels[0].webhook.maxEventAge: want at least 2h, because Zalo retries for 1 h 50 min, or 0s to judge no age"}},
	{"negative age", under(webhook, "    maxEventAge: -2h\n"), []string{
		":15: channels[0].webhook.maxEventAge: want at least 2h, because Zalo retries for 1 h 50 min, or 0s to judge no age"}},
	{"an OA's key that is an API key", under("    appID: \"2553928453557884079\"\n",
		"    officialAccounts: [{id: \"1\", secretKeys: [{value: HiddenValue-api-key-0123456789abcdef}]}]\n"), []string{
		":11: channels[0].zaloOA.officialAccounts[0].secretKeys[0]: is the same as the API key in channels[0].webhook.apiKeys[0]: " +
			"the two are different things, copy the OA secret key from Zalo's console"}},
	{
		"health path", under(webhook, "    path: /healthz/\n"),
		[]string{":15: channels[0].webhook.path: load balancers check /healthz: write another path"},
	},
	{"verifier path", under(webhook, "    path: /zalo_verifierA.html\n"), []string{
		":15: channels[0].webhook.path: pages of type ZaloOA begin with \"/zalo_verifier\": write another path"}},
	{
		"no API key", []string{apiKeys + "    - name: first\n" + apiKey, "    apiKeys: []\n"},
		[]string{":15: channels[0].webhook.apiKeys: want at least one key"},
	},
	{"API keys", under(apiKeys, "    - {}\n    - {name: a, sha256: abc}\n    - {name: a, value: HiddenValue, sha256: abc}\n"), []string{
		":16: channels[0].webhook.apiKeys[0].name: required",
		":16: channels[0].webhook.apiKeys[0]: set exactly one of sha256, value, file and missing",
		":17: channels[0].webhook.apiKeys[1].sha256: want the SHA-256 of the key as 64 hex digits",
		":18: channels[0].webhook.apiKeys[2].name: the same as channels[0].webhook.apiKeys[1].name: it must be unique",
		":18: channels[0].webhook.apiKeys[2]: set exactly one of sha256, value, file and missing"}},
	{"one key of two channels",
		[]string{
			sinkURL, sinkURL + strings.Replace(secondShop, "HiddenValue-other-key-0123456789abcdef", "HiddenValue-api-key-0123456789abcdef", 1),
		}, []string{
			":24: channels[1].webhook.apiKeys[0]: is the same API key as channels[0].webhook.apiKeys[0]: write each key once, " +
				"since a call finds its channel by it"}},
	{"no body", under(webhook, "    maxBodySize: 0\n"), []string{":15: channels[0].webhook.maxBodySize: want 1 byte to 64Mi"}},
	{"large body", under(webhook, "    maxBodySize: 65Mi\n"), []string{
		":1: server.maxBufferedBytes: want at least the largest webhook.maxBodySize, 68157440 bytes",
		":15: channels[0].webhook.maxBodySize: want 1 byte to 64Mi"}},
	{"events", under(webhook, "    events: {include: [], exclude: [\"a b\", \"\"]}\n"), []string{
		`:15: channels[0].webhook.events.include: want at least one pattern, "*" for every event`,
		`:15: channels[0].webhook.events.exclude[0]: want a pattern of event names: write for example "user_send_*"`,
		`:15: channels[0].webhook.events.exclude[1]: want a pattern of event names: write for example "user_send_*"`}},

	// The way out.
	{"sink type", []string{"  sink:\n", "  sink:\n    type: Kafka\n"}, []string{`:19: channels[0].sink.type: want "HTTP"`}},
	{"no sink", []string{"  sink:\n" + sinkHTTP + sinkURL, ""}, []string{":7: channels[0].sink.http: required for type HTTP"}},
	{"no URL", []string{sinkURL, "      timeout: 0s\n"}, []string{
		":19: channels[0].sink.http.url: set exactly one of url and urlFile", ":20: channels[0].sink.http.timeout: must be longer than 0s"}},
	{"relative URL", []string{"http://bot", "//bot"}, []string{
		`:20: channels[0].sink.http.url: want an absolute URL such as "http://bot.chat.svc/events"`}},
	{"no host", []string{"http://bot.chat.svc", "http://:80"}, []string{
		`:20: channels[0].sink.http.url: want an absolute URL such as "http://bot.chat.svc/events"`}},
	{"broken URL", []string{"http://bot", "http://HiddenValue:HiddenValue%zz@bot"}, []string{
		`:20: channels[0].sink.http.url: want an absolute URL such as "http://bot.chat.svc/events"`}},
	{"credentials in the URL", []string{"http://bot", "http://me:HiddenValue@bot"}, []string{
		":20: channels[0].sink.http.url: must hold no credentials: use headers, for example Authorization"}},
	{"fragment", []string{"svc/events", "svc/events#"}, []string{":20: channels[0].sink.http.url: must hold no fragment (#)"}},
	{"large port", []string{"bot.chat.svc/", "bot.chat.svc:65536/"}, []string{":20: channels[0].sink.http.url: want a port from 1 to 65535"}},
	{"port 0", []string{"bot.chat.svc/", "bot.chat.svc:0/"}, []string{":20: channels[0].sink.http.url: want a port from 1 to 65535"}},
	{
		"large port of a proxy", under(sinkURL, "      proxy: http://proxy:99999\n"),
		[]string{":21: channels[0].sink.http.proxy: want a port from 1 to 65535"},
	},
	{"two URLs", under(sinkURL, "      urlFile: garbage\n"), []string{":20: channels[0].sink.http.url: set exactly one of url and urlFile"}},
	{"proxy", under(sinkURL, "      proxy: ftp://me:HiddenValue@proxy\n"), []string{
		`:21: channels[0].sink.http.proxy: want the URL of a proxy such as "http://proxy.example:3128": http, https, ` +
			`socks5 or socks5h, a host and a port`}},
	{"credentials of a proxy", under(sinkURL, "      proxy: http://me:HiddenValue@proxy:3128\n"), []string{
		":21: channels[0].sink.http.proxy: must hold no credentials: a proxy that asks for some is set in the environment, " +
			"as HTTPS_PROXY or HTTP_PROXY"}},
	{"local addresses", under(sinkURL, "      localAddresses: HiddenValue\n"), []string{
		`:21: channels[0].sink.http.localAddresses: want "Allow" or "Refuse"`}},
	{"headers", under(sinkURL, `      headers:
      - {name: "a b", value: HiddenValue}
      - {name: host, value: HiddenValue}
      - {name: CE-id, value: HiddenValue}
      - {name: webhook-id, value: HiddenValue}
      - {name: X-A, value: "HiddenValue\r\nx: y"}
      - {name: x-a, value: HiddenValue}
      - {value: HiddenValue}
      - {name: X-B}
`), []string{
		":22: channels[0].sink.http.headers[0].name: want the name of a header, such as \"Authorization\", without its value",
		`:23: channels[0].sink.http.headers[1].name: the connector sets this header itself`,
		`:24: channels[0].sink.http.headers[2].name: the connector sets this header itself`,
		`:25: channels[0].sink.http.headers[3].name: the connector sets this header itself`,
		":26: channels[0].sink.http.headers[4]: holds line breaks or control characters, or is no text: put the value on one line",
		":27: channels[0].sink.http.headers[5].name: the same as channels[0].sink.http.headers[4].name: it must be unique",
		":28: channels[0].sink.http.headers[6].name: required",
		":29: channels[0].sink.http.headers[7]: set exactly one of value, file and missing"}},
	{"TLS over http", under(sinkURL, "      tls: {}\n"), []string{":21: channels[0].sink.http.tls: needs an https URL"}},
	{"TLS files", []string{sinkURL, "      url: https://bot\n      tls: {caFile: garbage, certFile: garbage}\n"}, []string{
		":21: channels[0].sink.http.tls: set certFile and keyFile together",
		":21: channels[0].sink.http.tls.caFile: DIR/garbage holds no certificate in PEM: write a bundle of \"BEGIN CERTIFICATE\" blocks"}},
	{"short signing secret", under(sinkURL, "      signingSecret: {value: whsec_SGlkZGVuVmFsdWU=}\n"), []string{
		":21: channels[0].sink.http.signingSecret: is no signing secret: write \"whsec_\" and the base64 of 24 to 64 bytes"}},
	{"signing secret", under(sinkURL, "      signingSecret: {value: HiddenValueHiddenValueHiddenValueHiddenValue!}\n"), []string{
		":21: channels[0].sink.http.signingSecret: is no signing secret: write \"whsec_\" and the base64 of 24 to 64 bytes"}},
	{"no signing secret", under(sinkURL, "      signingSecret: {}\n"), []string{
		":21: channels[0].sink.http.signingSecret: set exactly one of value, file and missing"}},
	{"delivery", under(sinkURL, `  delivery:
    ordering: Random
    concurrency: 10001
    deadLetterRetention: -1h
    retry: {initialBackoff: 0s, maxBackoff: -1s, maxAge: 0s}
`), []string{
		`:22: channels[0].delivery.ordering: want "PerConversation" or "Unordered"`,
		":23: channels[0].delivery.concurrency: want 1 to 10000, not 10001",
		":24: channels[0].delivery.deadLetterRetention: must be longer than 0s",
		":25: channels[0].delivery.retry.initialBackoff: must be longer than 0s",
		":25: channels[0].delivery.retry.maxBackoff: must not be shorter than initialBackoff",
		":25: channels[0].delivery.retry.maxAge: must be longer than 0s"}},

	// A secret in a field beside its own is not quoted either.
	{"secret as a mode", []string{"    signature:\n", "    signature:\n      mode: HiddenValue\n"}, []string{
		`:12: channels[0].zaloOA.signature.mode: want "Enforce" or "Audit" or "Off"`}},
	{"secret as a digest", []string{apiKey, "      sha256: HiddenValue\n"}, []string{
		":17: channels[0].webhook.apiKeys[0].sha256: want the SHA-256 of the key as 64 hex digits"}},
	{"secret as a key's name", []string{"name: first", "name: HiddenValue", "value: HiddenValue-api-key-0123456789abcdef",
		"value: HiddenValue-api-key-0123456789abcdef\n    - {name: HiddenValue, value: HiddenValue-another-key}"}, []string{
		":18: channels[0].webhook.apiKeys[1].name: the same as channels[0].webhook.apiKeys[0].name: it must be unique"}},
	{"whole header as its name", under(sinkURL, "      headers: [{name: \"Authorization: Bearer HiddenValue\", value: a}]\n"), []string{
		":21: channels[0].sink.http.headers[0].name: want the name of a header, such as \"Authorization\", without its value"}},
	{"secret as a header's name", under(sinkURL, "      headers: [{name: webhook-HiddenValue, value: a}]\n"), []string{
		":21: channels[0].sink.http.headers[0].name: the connector sets this header itself"}},
	{"secret as a time-out", under(sinkURL, "      timeout: HiddenValue\n"), []string{
		`:21: channels[0].sink.http.timeout: want a duration: write for example "10s", "5m" or "24h"`}},
	{"secret as a size", under(webhook, "    maxBodySize: HiddenValue\n"), []string{
		`:15: channels[0].webhook.maxBodySize: want a size: write for example "1Mi", "64Mi" or "1Gi"`}},
	{"secret as a path", under(webhook, "    path: /zalo_verifier?HiddenValue\n"), []string{
		":15: channels[0].webhook.path: pages of type ZaloOA begin with \"/zalo_verifier\": write another path"}},
	{"secret as a pattern", under(webhook, "    events: {exclude: [\"HiddenValue!\"]}\n"), []string{
		`:15: channels[0].webhook.events.exclude[0]: want a pattern of event names: write for example "user_send_*"`}},
	{"secret in the name of a field", []string{sinkURL, "      \"http://me:HiddenValue@bot\": x\n      url: http://bot\n"}, []string{
		":20: channels[0].sink.http: unknown field: known are url, urlFile, timeout, proxy, localAddresses, headers, tls, signingSecret"}},

	// Everything at once: what cannot be decoded does not hide what can.
	{"all at once", []string{
		"v1alpha1", "v0",
		"inbox:\n", "inbox:\n  deduplicationWindow: soon\n  shape: round\n",
		"chat/shop", "my shop",
		appID, "    appID: 12\n",
		"url: http://bot", "url: ftp://bot",
	}, []string{
		`:1: apiVersion: want "connector.xbot.a4b.vn/v1alpha1"`,
		`:4: inbox.deduplicationWindow: want a duration: write for example "10s", "5m" or "24h"`,
		":5: inbox.shape: unknown field: known are type, deduplicationWindow, embedded",
		":9: channels[0].name: must hold no white space and no control characters",
		":12: channels[0].zaloOA.appID: want text: put it in quotes, not a number",
		`:22: channels[0].sink.http.url: want an absolute URL such as "http://bot.chat.svc/events"`}},
}

// channelTypes are the names of all types of channels, as a message lists them.
func channelTypes() string {
	names := []string{}
	for _, of := range types.Channels {
		names = append(names, strconv.Quote(of.Name))
	}
	return strings.Join(names, " or ")
}

func TestLoadReportsEveryProblem(t *testing.T) {
	for _, p := range problems {
		t.Run(p.name, func(t *testing.T) {
			path := write(t, map[string]string{
				"connector.yaml": p.text(t), "empty": "\n", "garbage": "HiddenValue",
				"big": strings.Repeat(hidden, 6000), "sub/file": "", "url": "http://bot/HiddenValue",
			})
			_, err := config.Load(path, types.Config())
			if err == nil {
				t.Fatal("loaded")
			}
			got := strings.Split(strings.ReplaceAll(err.Error(), filepath.Dir(path), "DIR"), "\n")
			var want []string
			for _, line := range p.want {
				want = append(want, "DIR/connector.yaml"+line)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), hidden) {
				t.Error("a message shows a secret")
			}
		})
	}
}

func TestLoadRefusesAFileThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, config.MaxFileSize+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "none"): ": cannot be read: no such file or directory",
		folder:                        ": cannot be read: not a regular file",
		large:                         ": cannot be read: larger than 16777216 bytes",
	} {
		if _, err := config.Load(path, types.Config()); err == nil || err.Error() != path+want {
			t.Errorf("got %v, want %s%s", err, path, want)
		}
	}
}

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// stranger is a client without a key that holds its connection.
type stranger struct {
	name string
	// hello is sent by the n-th connection. It never is a whole call with a key.
	hello func(n int64) string
	// drip is sent every few seconds while the connection lives.
	drip string
	// metrics aims it at the metrics' port. floods keeps it out of the campaign.
	metrics, floods bool
}

// strangers are all of them, by name.
var strangers = map[string]stranger{
	"silent":                              {hello: says("")},
	"half a header":                       {hello: says(begun + "X-Half: a"), drip: "a"},
	"tiny header lines":                   {hello: says(begun + headerLines(20_000, tiny))},
	"header lines without end":            {hello: says(begun + "X-A: b\r\n"), drip: "k:\r\n"},
	"16 kB of headers":                    {hello: says(begun + headerLines(16_000, line(500)))},
	"16 kB of short headers":              {hello: says(begun + headerLines(16_000, line(80))), floods: true},
	"half a method":                       {hello: says("PO")},
	"no key":                              {hello: says("GET /wp-login.php HTTP/1.1\r\nHost: x\r\n\r\n")},
	"a wrong key":                         {hello: wrongKey, floods: true},
	"half a handshake":                    {hello: says("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")}, // the begin of a ClientHello
	"silent at the metrics":               {hello: says(""), metrics: true},
	"1 MiB of headers for the metrics":    {hello: says(begun + headerLines(1<<20, line(500))), metrics: true},
	"1 MiB of tiny lines for the metrics": {hello: says(scrape + headerLines(1<<20, tiny)), metrics: true, floods: true},
	"a scrape":                            {hello: says(scrape + "\r\n"), metrics: true, floods: true},
}

// campaigners are the strangers of the campaign.
func campaigners() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(strangers)), func(name string) bool { return strangers[name].floods })
}

const (
	begun  = "POST " + zalo.DefaultPath + " HTTP/1.1\r\nHost: x\r\n"
	scrape = "GET /metrics HTTP/1.1\r\nHost: x\r\n"
	// tiny is a header line with a number.
	tiny = "k%d:\n"
)

// line is a header line with a number and a value of a length.
func line(length int) string { return "X-Header-%d: " + strings.Repeat("h", length) + "\r\n" }

// headerLines are numbered lines of about size bytes together.
func headerLines(size int, format string) string {
	var text strings.Builder
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

func says(text string) func(int64) string { return func(int64) string { return text } }

func wrongKey(n int64) string {
	return begun + fmt.Sprintf("xp-api-key: %064d\r\nContent-Length: 1000\r\n\r\n", n)
}

// caller is a client with an API key and without the OA secret.
type caller struct {
	name string
	// atOnce is the number of those that call at the same time, every is the pause of each.
	atOnce  int
	every   time.Duration
	request func(key string) []byte
	// welcome reports whether 200 is the right answer.
	welcome bool
}

// oldCall is the attack with a captured call.
const oldCall = "an old call again"

// callers are all that know a key.
var callers = []caller{
	{"1 MiB declared, signed", 66, 100 * time.Millisecond, declared(zalo.DefaultPath, forged, 1<<20, ""), false},
	{"4 kB declared, unsigned", 48, 100 * time.Millisecond, declared(zalo.DefaultPath, "", 4<<10, ""), false},
	{"64 bytes declared", 8, 100 * time.Millisecond, declared(zalo.DefaultPath, "", 64, ""), false},
	{"a wrong signature", 8, 200 * time.Millisecond, posted(zalo.DefaultPath, forged, invented), false},
	{"a malformed signature", 2, 200 * time.Millisecond, posted(zalo.DefaultPath, zalo.SignatureHeader+": mac=x\r\n", invented), false},
	{"an escaped path", 2, time.Second, posted("/webhook%2Fxpbot/api/zalo/push", forged, invented), false},
	{"a path with dots", 2, time.Second, posted("/webhook/../webhook/xpbot/api/zalo/push", forged, invented), false},
	{"gzip", 2, time.Second, posted(zalo.DefaultPath, forged+"Content-Encoding: gzip\r\n", "\x1f\x8b\x08\x00"+invented), false},
	{"a byte order mark", 2, time.Second, posted(zalo.DefaultPath, forged, "\xef\xbb\xbf"+invented), false},
	{"two lengths", 2, time.Second, posted(zalo.DefaultPath, forged+"Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), false},
	{"no JSON", 2, time.Second, posted(zalo.DefaultPath, forged, strings.Repeat("[", 1000)), false},
	{"a probe", 2, time.Second, posted(zalo.DefaultPath, "", "{}"), true},
	{"GET", 2, time.Second, func(key string) []byte { return call("GET", zalo.DefaultPath, key, "") }, true},
}

// forged is a signature that no key made.
var forged = zalo.SignatureHeader + ": mac=" + strings.Repeat("0123456789abcdef", 4) + "\r\n"

// invented is an event that no platform has sent, as the judge knows.
var invented = string(traffic.ZaloOA.Write(inventedMessage, time.Now(), text))

func call(method, path, key, headers string) []byte {
	return fmt.Appendf(nil, "%s %s?param.header.xp-api-key=%s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, key, headers)
}

func posted(path, headers, body string) func(key string) []byte {
	return declared(path, headers, len(body), body)
}

// declared has a length that need not be the body's.
func declared(path, headers string, length int, body string) func(key string) []byte {
	return func(key string) []byte {
		return append(call("POST", path, key, fmt.Sprintf("%sContent-Length: %d\r\n", headers, length)), body...)
	}
}

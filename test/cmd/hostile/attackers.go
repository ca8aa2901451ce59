package main

import (
	"fmt"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// stranger is a client without a key that holds its connection.
type stranger struct {
	name  string
	hello []byte
	// drip is sent every few seconds while the connection lives.
	drip string
	// metrics aims it at the metrics' port.
	metrics bool
}

// strangers in turn make up the connections that are held.
var strangers = []stranger{
	{name: "silent"},
	{name: "half a header", hello: begun("X-Half: a"), drip: "a"},
	{name: "tiny header lines", hello: begun(headerLines(20<<10, tiny))},
	{name: "header lines without end", hello: begun("X-A: b\r\n"), drip: "k:\r\n"},
	{name: "16 kB of headers", hello: begun(headerLines(16<<10, large))},
	{name: "half a method", hello: []byte("PO")},
	{name: "no key", hello: []byte("GET /wp-login.php HTTP/1.1\r\nHost: x\r\n\r\n")},
	{name: "no HTTP", hello: []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
	{name: "1 MiB of headers for the metrics", hello: begun(headerLines(1<<20, large)), metrics: true},
	{name: "silent at the metrics", metrics: true},
}

// tiny and large are header lines, each with a number.
var tiny, large = "k%d:\n", "X-Header-%d: " + strings.Repeat("h", 500) + "\r\n"

func begun(headers string) []byte {
	return []byte("POST " + zalo.DefaultPath + " HTTP/1.1\r\nHost: x\r\n" + headers)
}

// caller is a client with an API key and without the OA secret.
type caller struct {
	name string
	// atOnce is how many call at the same time, each this often.
	atOnce  int
	every   time.Duration
	request func(key string) []byte
	// welcome says that 200 is the right answer.
	welcome bool
}

// oldCall is the attack with a captured call.
const oldCall = "an old call again"

// callers are all that know a key.
var callers = []caller{
	{"1 MiB declared, signed", 66, 100 * time.Millisecond, declared(1<<20, forged), false},
	{"4 kB declared, unsigned", 48, 100 * time.Millisecond, declared(4<<10, ""), false},
	{"64 bytes declared", 8, 100 * time.Millisecond, declared(64, ""), false},
	{"a wrong signature", 8, 200 * time.Millisecond, posted(zalo.DefaultPath, forged, invented), false},
	{"a malformed signature", 2, 200 * time.Millisecond, posted(zalo.DefaultPath, zalo.SignatureHeader+": mac=x\r\n", invented), false},
	{"an escaped path", 2, time.Second, posted("/webhook%2Fxpbot/api/zalo/push", forged, invented), false},
	{"a path with dots", 2, time.Second, posted("/webhook/../webhook/xpbot/api/zalo/push", forged, invented), false},
	{"gzip", 2, time.Second, posted(zalo.DefaultPath, forged+"Content-Encoding: gzip\r\n", "\x1f\x8b\x08\x00"+invented), false},
	{"a byte order mark", 2, time.Second, posted(zalo.DefaultPath, forged, "\xef\xbb\xbf"+invented), false},
	{"two lengths", 2, time.Second, posted(zalo.DefaultPath, forged+"Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), false},
	{"no JSON", 2, time.Second, posted(zalo.DefaultPath, forged, strings.Repeat("[", 1000)), false},
	{"a probe", 2, time.Second, posted(zalo.DefaultPath, "", "{}"), true},
	{"GET", 2, time.Second, got, true},
}

// forged is a signature of nobody.
var forged = zalo.SignatureHeader + ": mac=" + strings.Repeat("0123456789abcdef", 4) + "\r\n"

// invented is an event that no platform has sent, which the judge knows.
var invented = string(traffic.Body(inventedMessage, time.Now(), text))

func posted(path, headers, body string) func(key string) []byte {
	return func(key string) []byte {
		return fmt.Appendf(nil, "POST %s?param.header.xp-api-key=%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s",
			path, key, headers, len(body), body)
	}
}

func declared(length int, headers string) func(key string) []byte {
	return func(key string) []byte {
		return fmt.Appendf(nil, "POST %s?param.header.xp-api-key=%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n",
			zalo.DefaultPath, key, headers, length)
	}
}

func got(key string) []byte {
	return fmt.Appendf(nil, "GET %s?param.header.xp-api-key=%s HTTP/1.1\r\nHost: x\r\n\r\n", zalo.DefaultPath, key)
}

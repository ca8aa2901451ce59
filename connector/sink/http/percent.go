package httpsink

import (
	"fmt"
	"net/url"
	"strings"
)

// EncodeAttribute writes a CloudEvents attribute as a header value (HTTP binding, section 3.1.3.2): space, double
// quote, percent and every byte outside U+0021 to U+007E become "%XX", non-ASCII text as its UTF-8 bytes. Nothing that
// it returns can end a header line.
func EncodeAttribute(s string) string {
	if !strings.ContainsFunc(s, mustEncode) {
		return s
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		if mustEncode(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// mustEncode reports whether a byte is encoded, and whether a character holds such bytes.
func mustEncode(c rune) bool {
	return c <= ' ' || c > '~' || c == '"' || c == '%'
}

// DecodeAttribute reads a header value that EncodeAttribute wrote. A value with a broken percent sequence is returned
// as it stands.
func DecodeAttribute(s string) string {
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	return s
}

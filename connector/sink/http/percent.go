package httpsink

import (
	"net/url"
	"strings"
)

// EncodeAttribute writes a CloudEvents attribute as a header value (HTTP
// binding, section 3.1.3.2): space, double quote, percent and every byte
// outside U+0021 to U+007E become "%XX", non-ASCII text as its UTF-8 bytes.
// Nothing that it returns can end a header line.
func EncodeAttribute(s string) string {
	extra := 0
	for i := range len(s) {
		if mustEncode(s[i]) {
			extra += 2
		}
	}
	if extra == 0 {
		return s
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) + extra)
	for i := range len(s) {
		if c := s[i]; mustEncode(c) {
			b.Write([]byte{'%', digits[c>>4], digits[c&0xf]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func mustEncode(c byte) bool {
	return c <= ' ' || c > '~' || c == '"' || c == '%'
}

// DecodeAttribute reads a header value that EncodeAttribute wrote. A value with
// a broken percent sequence is returned as it stands.
func DecodeAttribute(s string) string {
	decoded, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return decoded
}

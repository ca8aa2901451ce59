package channel

import "bytes"

// MaxProbeSize is the size of the largest probe, in bytes: empty, or an empty object with some white space in it.
const MaxProbeSize = 64

// jsonSpace is JSON's white space.
const jsonSpace = " \t\r\n"

// IsProbe reports whether the body is empty or an empty object, as consoles send it when a webhook URL is saved. A large
// body of white space is no probe, since a caller with only the API key could send it.
func IsProbe(body []byte) bool {
	if len(body) > MaxProbeSize {
		return false
	}
	body = bytes.Trim(body, jsonSpace)
	if len(body) == 0 {
		return true
	}
	return body[0] == '{' && body[len(body)-1] == '}' && len(body) > 1 &&
		len(bytes.TrimLeft(body[1:len(body)-1], jsonSpace)) == 0
}

package channel

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
)

// Malformed refuses a body that the platform does not send.
func Malformed(err error) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: ReasonMalformed, Message: "malformed body: " + err.Error()}
}

// SignatureMissing refuses a call without a signature, or without a member that it needs.
func SignatureMissing(message string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Reason: ReasonSignatureMissing, Message: message}
}

// SignatureWrong refuses a call whose signature verifies with no key.
func SignatureWrong(message string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Reason: ReasonSignatureWrong, Message: message}
}

// AwaitingSecret refuses a call that no key can verify so far. Name is what people call the key.
func AwaitingSecret(name string) *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Reason: ReasonAwaitingSecret,
		Message: "the " + name + " is not configured yet: send the event again later",
	}
}

// SignatureHeader returns the value of the header that verifies a call, or why there is not exactly one. Name is in the
// platform's spelling, canonical in that of http.Header.
func SignatureHeader(header http.Header, name, canonical string) (value string, _ *Refusal) {
	switch values := header[canonical]; len(values) {
	case 0:
		return "", SignatureMissing("header " + name + " is missing")
	case 1:
		return values[0], nil
	default:
		return "", SignatureWrong("header " + name + " is given more than once")
	}
}

// ParseSHA256 reads a signature that is a SHA-256: 64 hex digits, in either case.
func ParseSHA256(text string) (sum [sha256.Size]byte, ok bool) {
	var digits [2 * sha256.Size]byte
	if len(text) != len(digits) {
		return sum, false
	}
	copy(digits[:], text)
	_, err := hex.Decode(sum[:], digits[:])
	return sum, err == nil
}

// TooMany refuses a call with more than MaxCalls parts.
func TooMany() *Refusal {
	return &Refusal{
		Status: http.StatusRequestEntityTooLarge, Reason: ReasonTooLarge, Message: fmt.Sprintf("more than %d events in one call", MaxCalls),
	}
}

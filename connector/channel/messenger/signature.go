package messenger

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// SignatureHeader carries "sha256=" and the signature.
const SignatureHeader = "X-Hub-Signature-256"

const signaturePrefix = "sha256="

// canonicalSignatureHeader is the key under which http.Header holds it.
var canonicalSignatureHeader = http.CanonicalHeaderKey(SignatureHeader)

// Sign returns the value of SignatureHeader for a call: "sha256=" and the lower-case hex of the HMAC-SHA256 of the raw
// body with the app secret.
func Sign(body []byte, secret string) string {
	return signaturePrefix + hex.EncodeToString(mac(body, []byte(secret)))
}

func mac(body, secret []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(body)
	return h.Sum(nil)
}

// Precheck refuses by the header alone; see channel.Prechecker.
func (m *Channel) Precheck(header http.Header) *channel.Refusal {
	if m.mode != channel.SignatureEnforce || len(m.secretKeys.Present) == 0 {
		return nil
	}
	_, refusal := readSignature(header)
	return refusal
}

// authenticate returns why a call is not authentic; nil if it is, or if the mode is Off. SignedBy is the digest of the
// key that signed it.
func (m *Channel) authenticate(header http.Header, body []byte) (signedBy [sha256.Size]byte, _ *channel.Refusal) {
	switch {
	case m.mode == channel.SignatureOff:
		return signedBy, nil
	case len(m.secretKeys.Present) == 0:
		return signedBy, channel.AwaitingSecret(secretName)
	}
	signature, refusal := readSignature(header)
	if refusal != nil {
		return signedBy, refusal
	}
	signedBy, verified := m.secretKeys.Find(func(k *channel.Key) int { return subtle.ConstantTimeCompare(mac(body, k.Secret), signature[:]) })
	if !verified {
		return signedBy, channel.SignatureWrong("signature matches no " + secretName + " of this channel")
	}
	return signedBy, nil
}

// readSignature returns the signature that a header carries, or why there is none.
func readSignature(header http.Header) (signature [sha256.Size]byte, _ *channel.Refusal) {
	value, refusal := channel.SignatureHeader(header, SignatureHeader, canonicalSignatureHeader)
	if refusal != nil {
		return signature, refusal
	}
	signature, ok := parseSignature(value)
	if !ok {
		return signature, channel.SignatureWrong("header " + SignatureHeader + " is not \"sha256=\" and 64 hex digits")
	}
	return signature, nil
}

// parseSignature reads "sha256=<64 hex>", in either case of digits.
func parseSignature(value string) (signature [sha256.Size]byte, ok bool) {
	value, ok = strings.CutPrefix(value, signaturePrefix)
	if !ok || len(value) != 2*sha256.Size {
		return signature, false
	}
	_, err := hex.Decode(signature[:], []byte(value))
	return signature, err == nil
}

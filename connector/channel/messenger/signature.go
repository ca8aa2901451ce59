package messenger

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
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
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return signaturePrefix + hex.EncodeToString(h.Sum(nil))
}

// macs are HMACs with the secret of each key that is there, by its digest. They are only cloned: a new one would hash
// the secret twice for each call.
type macs map[[sha256.Size]byte]hash.Cloner

func newMACs(keys channel.Keys) macs {
	m := make(macs, len(keys.Present))
	for _, key := range keys.Present {
		h := hmac.New(sha256.New, key.Secret)
		h.Reset() // keeps what the secret was hashed to
		m[key.Digest], _ = h.(hash.Cloner)
	}
	return m
}

// verify returns 1 if a key made the signature of a body, else 0, in constant time.
func (m macs) verify(key *channel.Key, body []byte, signature *[sha256.Size]byte) int {
	h, err := m[key.Digest].Clone()
	if err != nil {
		return 0
	}
	_, _ = h.Write(body) // a hash takes everything
	var sum [sha256.Size]byte
	return subtle.ConstantTimeCompare(h.Sum(sum[:0]), signature[:])
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
	signedBy, verified := m.secretKeys.Find(func(k *channel.Key) int { return m.macs.verify(k, body, &signature) })
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
	if value, ok = strings.CutPrefix(value, signaturePrefix); !ok {
		return signature, false
	}
	return channel.ParseSHA256(value)
}

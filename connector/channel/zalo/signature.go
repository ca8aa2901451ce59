package zalo

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
)

// SignatureHeader carries "mac=" and the signature.
const SignatureHeader = "X-ZEvent-Signature"

const signaturePrefix = "mac="

// canonicalSignatureHeader is the key under which http.Header holds it.
var canonicalSignatureHeader = http.CanonicalHeaderKey(SignatureHeader)

// Sign returns the value of SignatureHeader for a call: "mac=" and the lower-case hex of SHA-256 over app id, raw body,
// the text of the body's timestamp and the OA secret key, concatenated. It is not an HMAC.
//
// Nothing marks where one part ends, so the same bytes could be another call's: a digit could move from the body's end
// to the timestamp. Four checks leave only one way to split the bytes, and each is needed: the app id is this channel's
// own; the body is exactly one JSON object; app_id and timestamp are given once in it; and the timestamp is that
// object's own, not a header's.
func Sign(appID string, body []byte, timestamp, secret string) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(appID), body, []byte(timestamp), []byte(secret)} {
		h.Write(part)
	}
	return signaturePrefix + hex.EncodeToString(h.Sum(nil))
}

// Precheck refuses by the header alone; see channel.Channel.
func (z *Channel) Precheck(header http.Header) *channel.Refusal {
	if z.mode != channel.SignatureEnforce || !z.hasKeys() {
		return nil
	}
	_, refusal := readSignature(header)
	return refusal
}

// authenticate returns why a call is not authentic; nil if it is, or if the mode is Off. SignedBy is the digest of the
// key that signed it.
func (z *Channel) authenticate(header http.Header, body []byte, m *scan.Members) (signedBy [sha256.Size]byte, _ *channel.Refusal) {
	if z.mode == channel.SignatureOff {
		return signedBy, nil
	}
	if !z.hasKeys() {
		return signedBy, channel.AwaitingSecret(secretName)
	}
	signature, refusal := readSignature(header)
	switch {
	case refusal != nil:
		return signedBy, refusal
	case len(m.Text(appID)) == 0:
		return signedBy, channel.SignatureMissing("app_id is missing, which the signature needs")
	case len(m.Text(timestamp)) == 0:
		return signedBy, channel.SignatureMissing("timestamp is missing, which the signature needs")
	}
	account := z.accountKeys(m)
	signedBy, verified := z.verify(signature, body, m, account.Present)
	switch {
	case verified:
		return signedBy, nil
	case len(z.secretKeys.Present)+len(account.Present) == 0 && (z.secretKeys.Missing || account.Missing):
		return signedBy, channel.AwaitingSecret(secretName)
	default:
		return signedBy, channel.SignatureWrong("signature matches no OA secret key of this channel")
	}
}

// readSignature returns the signature that a header carries, or why there is none.
func readSignature(header http.Header) (signature [sha256.Size]byte, _ *channel.Refusal) {
	value, refusal := channel.SignatureHeader(header, SignatureHeader, canonicalSignatureHeader)
	if refusal != nil {
		return signature, refusal
	}
	signature, ok := parseSignature(value)
	if !ok {
		return signature, channel.SignatureWrong("header " + SignatureHeader + " is not \"mac=\" and 64 hex digits")
	}
	return signature, nil
}

// parseSignature reads "mac=<64 hex>" or "<64 hex>", in either case of digits.
func parseSignature(value string) (signature [sha256.Size]byte, ok bool) {
	return channel.ParseSHA256(strings.TrimPrefix(value, signaturePrefix))
}

// hasKeys reports whether any key can verify calls.
func (z *Channel) hasKeys() bool {
	for _, own := range z.accounts {
		if len(own.Present) > 0 {
			return true
		}
	}
	return len(z.secretKeys.Present) > 0
}

// verify compares with every key that may have signed, and notes the digest of the right one, in a time that does not
// tell which one that is. The body is hashed once for all keys.
func (z *Channel) verify(
	signature [sha256.Size]byte, body []byte, m *scan.Members, account []channel.Key,
) (signedBy [sha256.Size]byte, verified bool) {
	prefix := sha256.New()
	prefix.Write(m.Text(appID))
	prefix.Write(body)
	prefix.Write(m.Text(timestamp))
	matches := 0
	for _, list := range [][]channel.Key{z.secretKeys.Present, account} {
		for i := range list {
			h, err := prefix.(hash.Cloner).Clone()
			if err != nil {
				return signedBy, false
			}
			_, _ = h.Write(list[i].Secret) // a hash takes everything
			var sum [sha256.Size]byte
			match := subtle.ConstantTimeCompare(h.Sum(sum[:0]), signature[:])
			subtle.ConstantTimeCopy(match, signedBy[:], list[i].Digest[:])
			matches |= match
		}
	}
	return signedBy, matches == 1
}

// accountKeys returns the own keys of the OA that an event belongs to. Their holder may speak for that OA alone, and a
// bot may read another member of the body than we do. So there are no keys if a member names another OA or cannot be
// read, or if no member names one.
func (z *Channel) accountKeys(m *scan.Members) channel.Keys {
	name, _, _ := names(m)
	oa := z.parties(name, m).oa
	own := z.accounts[string(oa)]
	if !own.Configured() || m.Alike() || m.Lossy() {
		return channel.Keys{}
	}
	for _, named := range [][]byte{m.ID(oaID), m.ID(oaIDCamel)} {
		if len(named) > 0 && !bytes.Equal(named, oa) {
			return channel.Keys{}
		}
	}
	for _, side := range [][]byte{m.ID(senderID), m.ID(recipientID), m.ID(userID), m.ID(followerID)} {
		if z.lists(side) && !bytes.Equal(side, oa) {
			return channel.Keys{}
		}
	}
	return own
}

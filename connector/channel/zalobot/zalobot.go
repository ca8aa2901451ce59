// Package zalobot is the channel type of the Zalo Bot platform: it verifies and identifies the calls that Zalo makes for
// one bot.
//
// A call is JSON in UTF-8. Nothing of it is signed: a header holds the secret token that the webhook was registered with.
package zalobot

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// SecretTokenHeader carries the secret token.
const SecretTokenHeader = "X-Bot-Api-Secret-Token" //nolint:gosec // a name, and no secret

// canonicalHeader is the key under which http.Header holds it.
var canonicalHeader = http.CanonicalHeaderKey(SecretTokenHeader)

// contentType is that of every event: the body is judged as JSON, whatever its header says.
const contentType = "application/json"

// Channel is one configured bot. It is immutable.
type Channel struct {
	name       string
	mode       channel.SignatureMode
	secretKeys channel.Keys
}

// Public returns no pages.
func (*Channel) Public() []channel.Page { return nil }

// Precheck refuses by the header alone; see channel.Prechecker. The header is all that verifies a call, so Precheck
// finds out all that Read does.
func (b *Channel) Precheck(header http.Header) *channel.Refusal {
	if b.mode != channel.SignatureEnforce || len(b.secretKeys.Present) == 0 {
		return nil
	}
	_, refusal := b.authenticate(header)
	return refusal
}

// Read classifies, verifies and identifies one call; see channel.Channel.
func (b *Channel) Read(at time.Time, header http.Header, body []byte) (channel.Reading, *channel.Refusal) {
	if channel.IsProbe(body) {
		return channel.Reading{}, nil
	}
	calls, refusal := b.calls(at, body)
	if refusal != nil {
		return channel.Reading{}, refusal
	}
	shownToken, refusal := b.authenticate(header)
	if refusal != nil && b.mode != channel.SignatureAudit {
		return channel.Reading{}, refusal
	}
	reading := channel.Reading{Calls: calls, Verified: refusal == nil && b.mode != channel.SignatureOff, SignedBy: shownToken}
	if refusal != nil {
		reading.AuditFailure = refusal.Reason
	}
	return reading, nil
}

// authenticate returns why a call is not authentic; nil if it is, or if the mode is Off. Digest is that of the token that
// it shows.
func (b *Channel) authenticate(header http.Header) (digest [sha256.Size]byte, _ *channel.Refusal) {
	switch {
	case b.mode == channel.SignatureOff:
		return digest, nil
	case len(b.secretKeys.Present) == 0:
		return digest, channel.AwaitingSecret(secretName)
	}
	value, refusal := channel.SignatureHeader(header, SecretTokenHeader, canonicalHeader)
	if refusal != nil {
		return digest, refusal
	}
	shown := sha256.Sum256([]byte(value))
	digest, found := b.secretKeys.Find(func(k *channel.Key) int { return subtle.ConstantTimeCompare(k.Digest[:], shown[:]) })
	if !found {
		return digest, channel.SignatureWrong("header " + SecretTokenHeader + " is no " + secretName + " of this channel")
	}
	return digest, nil
}

// Answer is xBot's own: a status of "0" or "1" beside HTTP's.
func (*Channel) Answer(status int, message string) channel.Answer {
	return channel.JSONAnswer(status, message)
}

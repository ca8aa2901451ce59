package messenger

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// maxChallenge bounds the challenge that is sent back, in bytes. Meta's are about ten digits.
const maxChallenge = 256

// Public returns the handshake by which Meta verifies the callback URL.
func (m *Channel) Public() []channel.Page { return []channel.Page{{Serve: m.shakeHands}} }

// shakeHands sends the challenge back to a caller that knows the verify token. The URL is checked before the token is
// there, too: to say 403 then would blame the token that was typed into the console.
func (m *Channel) shakeHands(call *http.Request) channel.Answer {
	query, err := url.ParseQuery(call.URL.RawQuery)
	mode, token, challenge := only(query["hub.mode"]), only(query["hub.verify_token"]), only(query["hub.challenge"])
	switch {
	case err != nil || mode != "subscribe" || token == "" || !isChallenge(challenge):
		return m.Answer(http.StatusForbidden,
			"no handshake: want hub.mode=subscribe, hub.verify_token and hub.challenge in the query, each once, as Meta sends them")
	case m.verifyToken.Reveal() == "":
		return m.Answer(http.StatusServiceUnavailable, "the verify token is not configured yet: save the callback URL again later")
	}
	given, want := sha256.Sum256([]byte(token)), m.verifyToken.Digest()
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return m.Answer(http.StatusForbidden, "hub.verify_token is not the verify token of this channel")
	}
	return channel.Answer{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(challenge)}
}

// only returns the one value of a parameter; empty if there is not exactly one.
func only(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

// isChallenge reports whether a text may be sent back: it is short and printable ASCII.
func isChallenge(text string) bool {
	return text != "" && len(text) <= maxChallenge && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

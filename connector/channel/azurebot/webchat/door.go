// Package webchat is the door through which the servers of web pages open a web chat for their visitors. xBot calls it
// InitForClient: it makes a Direct Line token for a new or known user, or refreshes one.
//
// Two keys open it: an API key of the channel, by which the webhook finds the channel, and a partner key. Nothing of the
// user, and neither secret nor token, is logged or counted, or answered to anyone but the caller.
package webchat

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// maxCalls bounds the calls of a channel that wait for Direct Line at once, and maxAllCalls those of a process, each of
// which has a connection.
const maxCalls, maxAllCalls = 16, 64

// maxBodySize bounds the body of a call. xBot's own example has 255 bytes.
const maxBodySize = 64 << 10

// The reasons why a call is refused, beside those of all types.
const (
	reasonPartnerKey channel.Reason = "partner_key"
	reasonBusy       channel.Reason = "web_chat_busy"
	reasonToken      channel.Reason = "web_chat_token" //nolint:gosec // a name
)

// The reasons why a call is answered 200.
const (
	reasonOpened    channel.Reason = "web_chat_opened"
	reasonRefreshed channel.Reason = "web_chat_refreshed"
)

// userPrefix begins the ids of users that Direct Line binds to a token.
const userPrefix = "dl_"

// userIDSize is how much of a digest a user's id holds, in bytes.
const userIDSize = 20

// partnerHeader is the key under which http.Header holds the partner key.
var partnerHeader = http.CanonicalHeaderKey("x-api-key")

// door is that of one channel. It is immutable.
type door struct {
	// secret is Direct Line's, and userSecret makes the ids of users; empty while they are missing.
	secret, userSecret string
	// partnerKeys are the digests of those that are there.
	partnerKeys [][sha256.Size]byte
	origins     []string
	directLine  *directLine
	// places are taken by the calls that wait for Direct Line.
	places chan struct{}
}

// Endpoint returns the endpoint of a channel with the section.
func (s *Settings) Endpoint(e channel.Environment) channel.Endpoint {
	d := &door{
		secret: s.DirectLineSecret.Reveal(), userSecret: s.DirectLineSecret.Reveal(), origins: s.TrustedOrigins,
		directLine: newDirectLine(s.URL, e), places: make(chan struct{}, maxCalls),
	}
	if s.UserIDSecret != nil {
		d.userSecret = s.UserIDSecret.Reveal()
	}
	for _, key := range s.PartnerKeys {
		if key.Reveal() != "" { // a missing key reads as the empty one
			d.partnerKeys = append(d.partnerKeys, key.Digest())
		}
	}
	return channel.Endpoint{Path: Path, MaxBodySize: maxBodySize, Serve: d.serve}
}

// serve answers a call in xBot's shape.
func (d *door) serve(ctx context.Context, header http.Header, body []byte) (channel.Answer, channel.Reason) {
	opened, refusal := d.open(ctx, header, body)
	if refusal != nil {
		return channel.JSONAnswer(refusal.Status, refusal.Message), refusal.Reason
	}
	text, _ := json.Marshal(opened) //nolint:errchkjson // texts and a number always marshal
	return channel.Answer{Status: http.StatusOK, ContentType: "application/json", Body: text}, opened.reason
}

// chat is what a page needs to open a web chat.
type chat struct {
	ConversationID string `json:"conversationId"`
	// UserID is empty if a refreshed token does not tell it.
	UserID string `json:"userId,omitempty"`
	Token  string `json:"token"`
	// ExpiresIn is in seconds.
	ExpiresIn int64 `json:"expiresIn"`

	reason channel.Reason
}

func (d *door) open(ctx context.Context, header http.Header, body []byte) (*chat, *channel.Refusal) {
	if refusal := d.authenticate(header); refusal != nil {
		return nil, refusal
	}
	asked, refusal := read(body)
	if refusal != nil {
		return nil, refusal
	}
	if asked.token == "" && (d.secret == "" || d.userSecret == "") {
		return nil, &channel.Refusal{Status: http.StatusServiceUnavailable, Reason: channel.ReasonAwaitingSecret,
			Message: "the " + secretName + ", or the one for user ids, is not there yet: try again later"}
	}
	leave, entered := d.enter()
	if !entered {
		return nil, &channel.Refusal{Status: http.StatusServiceUnavailable, Reason: reasonBusy,
			Message: "too many calls wait for Direct Line: try again later"}
	}
	defer leave()
	if asked.token != "" {
		return d.directLine.refresh(ctx, asked.token)
	}
	return d.directLine.generate(ctx, d.secret, user{d.userID(asked.id), asked.name}, d.origins)
}

// enter takes a place of the channel and one of the process, which leave gives back.
func (d *door) enter() (leave func(), entered bool) {
	all := d.directLine.places
	select {
	case d.places <- struct{}{}:
	default:
		return nil, false
	}
	select {
	case all <- struct{}{}:
		return func() { <-all; <-d.places }, true
	default:
		<-d.places
		return nil, false
	}
}

// authenticate returns why the caller is no partner. It compares in constant time, with all partner keys.
func (d *door) authenticate(header http.Header) *channel.Refusal {
	if len(d.partnerKeys) == 0 {
		return &channel.Refusal{Status: http.StatusServiceUnavailable, Reason: channel.ReasonAwaitingSecret,
			Message: "no " + partnerName + " is there yet: try again later"}
	}
	matches := 0
	if given := header[partnerHeader]; len(given) == 1 {
		digest := sha256.Sum256([]byte(given[0]))
		for i := range d.partnerKeys {
			matches |= subtle.ConstantTimeCompare(d.partnerKeys[i][:], digest[:])
		}
	}
	if matches == 1 {
		return nil
	}
	return &channel.Refusal{Status: http.StatusUnauthorized, Reason: reasonPartnerKey,
		Message: partnerName + " missing or wrong: send it once, as header x-api-key"}
}

// userID is the id that Direct Line binds to the token. A known user always has the same one; without the secret, it can
// neither be foretold nor met by the choice of another id. A user without an id gets a new one.
func (d *door) userID(given string) string {
	if given == "" {
		return userPrefix + rand.Text()
	}
	mac := hmac.New(sha256.New, []byte(d.userSecret))
	mac.Write([]byte(given))
	return userPrefix + hex.EncodeToString(mac.Sum(nil)[:userIDSize])
}

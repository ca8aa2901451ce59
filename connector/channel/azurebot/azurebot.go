// Package azurebot is the channel type of Azure Bot Service: it verifies and identifies the activities that Bot Framework
// posts to a bot, whether they come from Teams, Web Chat, Direct Line, mail or another of its channels.
//
// A call is one activity, which is a JSON object in UTF-8. A bearer token says who calls. It signs nothing of the
// activity but, by a claim, its serviceUrl.
package azurebot

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/token"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
)

// contentType is that of every call: the body is judged as JSON, whatever its header says.
const contentType = "application/json"

// The members of an activity that are read.
const (
	activityType = iota
	activityID
	channelID
	serviceURL
	timestamp
	conversation
	conversationID
	from
	fromID
	recipientID
)

var layout = scan.NewLayout(scan.At("type"), scan.At("id"), scan.At("channelId"), scan.At("serviceUrl"), scan.At("timestamp"),
	scan.At("conversation"), scan.At("conversation.id"), scan.At("from"), scan.At("from.id"), scan.At("recipient.id")).
	WithLookalikes(func(parent int, name []byte) bool {
		return parent == scan.Root && slices.ContainsFunc(judged, func(known []byte) bool { return bytes.EqualFold(known, name) })
	})

// judged are the members that a token speaks of. Some JSON libraries, such as .NET's, take them in any case of letters.
var judged = [][]byte{[]byte("channelId"), []byte("serviceUrl")}

// Channel is one configured bot. It is immutable but for the keys, which workers fetch.
type Channel struct {
	name   string
	appID  string
	source string
	mode   channel.SignatureMode
	userID UserID
	// audiences are the spellings of the app in tokens.
	audiences [3]string
	// authorities issue tokens for the bot; none in mode Off.
	authorities []token.Authority
	// signer stands for them in reports.
	signer    [sha256.Size]byte
	endpoints []channel.Endpoint
}

// Open makes the channel; see channel.Settings.
func (s *Settings) Open(name string, e channel.Environment) channel.Channel {
	b := &Channel{
		name: name, appID: s.AppID, source: join("/azurebot", s.AppID), mode: s.Token.Mode, userID: s.UserID,
		audiences: [3]string{s.AppID, "api://" + s.AppID, "api://botid-" + s.AppID}, signer: s.signer(),
	}
	if b.mode != channel.SignatureOff {
		b.authorities = s.Token.authorities(func(d token.Document, key string) *token.Keys {
			return e.Worker(key, func() channel.Worker { return token.New(d, token.UsualPace, e.Log, e.Metrics) }).(*token.Keys)
		})
	}
	if s.WebChat != nil {
		b.endpoints = []channel.Endpoint{s.WebChat.Endpoint(e)}
	}
	return b
}

// Endpoints returns the door of the web chat; see channel.EndpointServer.
func (b *Channel) Endpoints() []channel.Endpoint { return b.endpoints }

// Public returns no pages: Azure asks for none.
func (*Channel) Public() []channel.Page { return nil }

// Read classifies, verifies and identifies one call; see channel.Channel.
func (b *Channel) Read(at time.Time, header http.Header, body []byte) (channel.Reading, *channel.Refusal) {
	if channel.IsProbe(body) {
		return channel.Reading{}, nil
	}
	m, err := layout.Scan(body)
	if err != nil {
		return channel.Reading{}, channel.Malformed(err)
	}
	refusal := b.authenticate(at, header, &m)
	if refusal != nil && b.mode != channel.SignatureAudit {
		return channel.Reading{}, refusal
	}
	reading := channel.Reading{Calls: []channel.Call{b.identify(at, &m, body)}}
	switch {
	case refusal != nil:
		reading.AuditFailure = refusal.Reason
	case b.mode != channel.SignatureOff:
		reading.Verified, reading.SignedBy = true, b.signer
	}
	return reading, nil
}

// Answer is xBot's own: a status of "0" or "1" beside HTTP's.
func (*Channel) Answer(status int, message string) channel.Answer {
	return channel.JSONAnswer(status, message)
}

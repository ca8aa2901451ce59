// Package zalo is the channel type of Zalo Official Accounts (OAs): it verifies and identifies the calls that Zalo
// makes for one app.
//
// Zalo posts the events of every OA that authorised an app to the app's one webhook URL. A call is compact JSON in
// UTF-8, signed over its raw bytes. Only a few members of the body are read.
package zalo

import (
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// consoleTestMessageID is the msg_id of the sample that the console's Test button sends. Real message ids are single
// words, so none can equal it.
const consoleTestMessageID = "This is message id"

// contentType is that of every call: the body is judged as JSON, whatever its header says.
const contentType = "application/json"

// Channel is one configured Zalo app. It is immutable.
type Channel struct {
	name  string
	appID string
	mode  channel.SignatureMode
	// secretKeys verify every event of the app.
	secretKeys channel.Keys
	// accounts are the OAs on the allow-list, with the keys that verify only their own events.
	accounts map[string]channel.Keys
	codes    []string
}

// Open makes the channel; see channel.Settings.
func (s *Settings) Open(name string, _ channel.Environment) channel.Channel { return s.open(name) }

func (s *Settings) open(name string) *Channel {
	z := &Channel{
		name:       name,
		appID:      s.AppID,
		mode:       s.Signature.Mode,
		secretKeys: channel.NewKeys(s.Signature.SecretKeys),
		accounts:   make(map[string]channel.Keys, len(s.OfficialAccounts)),
		codes:      s.DomainVerification.Codes,
	}
	for _, account := range s.OfficialAccounts {
		z.accounts[account.ID] = channel.NewKeys(account.SecretKeys)
	}
	return z
}

// Read classifies, verifies and identifies one call; see channel.Channel.
func (z *Channel) Read(at time.Time, header http.Header, body []byte) (channel.Reading, *channel.Refusal) {
	if channel.IsProbe(body) {
		return channel.Reading{}, nil
	}
	m, err := layout.Scan(body)
	if err != nil {
		return channel.Reading{}, channel.Malformed(err)
	}
	if m.Given(appID) && string(m.Text(appID)) != z.appID {
		return channel.Reading{},
			&channel.Refusal{Status: http.StatusForbidden, Reason: channel.ReasonWrongApp, Message: "app_id is not the app of this channel"}
	}
	signedBy, refusal := z.authenticate(header, body, &m)
	if refusal != nil && z.mode != channel.SignatureAudit {
		return channel.Reading{}, refusal
	}
	reading := channel.Reading{
		Calls:    []channel.Call{z.identify(at, &m, body)},
		Verified: refusal == nil && z.mode != channel.SignatureOff, SignedBy: signedBy,
	}
	if refusal != nil {
		reading.AuditFailure = refusal.Reason
	}
	return reading, nil
}

// Answer is xBot's own: a status of "0" or "1" beside HTTP's.
func (z *Channel) Answer(status int, message string) channel.Answer {
	return channel.JSONAnswer(status, message)
}

// Package zalo is the channel type of Zalo Official Accounts (OAs): it verifies and identifies the calls that Zalo
// makes for one app.
//
// Zalo posts the events of every OA that authorised an app to the app's one webhook URL. A call is compact JSON in
// UTF-8, signed over its raw bytes. Only a few members of the body are read.
package zalo

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// consoleTestMessageID is the msg_id of the sample that the console's Test button sends. Real message ids are single
// words, so none can equal it.
const consoleTestMessageID = "This is message id"

// contentType is that of every call: the body is judged as JSON, whatever its header says.
const contentType = "application/json"

// jsonSpace is JSON's white space.
const jsonSpace = " \t\r\n"

// Channel is one configured Zalo app. It is immutable.
type Channel struct {
	name  string
	appID string
	mode  channel.SignatureMode
	// secretKeys verify every event of the app.
	secretKeys keys
	// accounts are the OAs on the allow-list, with the keys that verify only their own events.
	accounts map[string]keys
	codes    []string
}

// keys are OA secret keys.
type keys struct {
	// present can verify.
	present []key
	// missing: a further key is configured but not there yet.
	missing bool
}

// key is one that is there.
type key struct {
	secret []byte
	// digest tells it apart from others.
	digest [sha256.Size]byte
}

// newKeys separates present keys from missing ones. A missing key reads as the empty one: anyone can sign with that, so
// it must never verify.
func newKeys(secrets []config.Secret) (k keys) {
	for _, secret := range secrets {
		if secret.Reveal() == "" {
			k.missing = true
			continue
		}
		k.present = append(k.present, key{[]byte(secret.Reveal()), secret.Digest()})
	}
	return k
}

// configured reports whether there are any keys, present or missing.
func (k keys) configured() bool { return k.missing || len(k.present) > 0 }

// Open makes the channel; see channel.Settings.
func (s *Settings) Open(name string, _ channel.Environment) channel.Channel { return s.open(name) }

func (s *Settings) open(name string) *Channel {
	z := &Channel{
		name:       name,
		appID:      s.AppID,
		mode:       s.Signature.Mode,
		secretKeys: newKeys(s.Signature.SecretKeys),
		accounts:   make(map[string]keys, len(s.OfficialAccounts)),
		codes:      s.DomainVerification.Codes,
	}
	for _, account := range s.OfficialAccounts {
		z.accounts[account.ID] = newKeys(account.SecretKeys)
	}
	return z
}

// Read classifies, verifies and identifies one call; see channel.Channel.
func (z *Channel) Read(at time.Time, header http.Header, body []byte) (channel.Reading, *channel.Refusal) {
	if isProbe(body) {
		return channel.Reading{}, nil
	}
	m, err := scan(body)
	if err != nil {
		return channel.Reading{},
			&channel.Refusal{Status: http.StatusBadRequest, Reason: channel.ReasonMalformed, Message: "malformed body: " + err.Error()}
	}
	if m.given[appID] && string(m.text[appID]) != z.appID {
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

// isProbe reports whether the body is empty or an empty object, as Zalo's console sends it when a webhook URL is saved.
// A large body of white space is no probe, since a caller with only the API key could send it.
func isProbe(body []byte) bool {
	if len(body) > channel.MaxProbeSize {
		return false
	}
	body = bytes.Trim(body, jsonSpace)
	if len(body) == 0 {
		return true
	}
	return body[0] == '{' && body[len(body)-1] == '}' && len(body) > 1 &&
		len(bytes.TrimLeft(body[1:len(body)-1], jsonSpace)) == 0
}

// Package zalo is the channel type of Zalo Official Accounts (OAs): it verifies
// and identifies the calls that Zalo makes for one app.
//
// Zalo posts the events of every OA that authorised an app to the app's one
// webhook URL. A call is compact JSON in UTF-8, signed over its raw bytes; the
// members used here are few, and the rest of the body is never looked at.
package zalo

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// consoleTestMessageID is the msg_id of the sample that the console's Test
// button sends. Real message ids are single words, so none can equal it.
const consoleTestMessageID = "This is message id"

// contentType is that of every call: the body is judged as JSON, whatever the call's
// own header says of it.
const contentType = "application/json"

// jsonSpace is JSON's white space.
const jsonSpace = " \t\r\n"

// Channel is one configured Zalo app. It is immutable.
type Channel struct {
	name  string
	appID string
	mode  config.SignatureMode
	// secretKeys verify every event of the app.
	secretKeys keys
	// accounts are the OAs on the allow-list, each with the keys that verify only
	// its own events.
	accounts map[string]keys
	proof    channel.DomainProof
}

// keys are OA secret keys.
type keys struct {
	// present can verify.
	present []key
	// missing reports whether a further key is configured that is not there yet.
	missing bool
}

// key is one that is there.
type key struct {
	secret []byte
	// digest tells it apart from others.
	digest [sha256.Size]byte
}

// newKeys sorts the keys that are there from those that are missing. A missing key
// reads as the empty one, with which anyone can sign: it must never verify.
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

// New builds the channel of a validated configuration. Its events carry the name.
func New(name string, c config.ZaloOA) *Channel {
	z := &Channel{
		name:     name,
		appID:      c.AppID,
		mode:       c.Signature.Mode,
		secretKeys: newKeys(c.Signature.SecretKeys),
		accounts:   make(map[string]keys, len(c.OfficialAccounts)),
		proof:      domainProof(c.DomainVerification.Codes),
	}
	for _, account := range c.OfficialAccounts {
		z.accounts[account.ID] = newKeys(account.SecretKeys)
	}
	return z
}

// Read classifies, verifies and identifies one call; see channel.Channel.
func (z *Channel) Read(at time.Time, header http.Header, body []byte) (channel.Call, *channel.Refusal) {
	if isProbe(body) {
		return channel.Call{Kind: channel.KindProbe}, nil
	}
	m, err := scan(body)
	if err != nil {
		return channel.Call{}, &channel.Refusal{Reason: channel.ReasonMalformed, Message: "malformed body: " + err.Error()}
	}
	if m.given[appID] && string(m.text[appID]) != z.appID {
		return channel.Call{}, &channel.Refusal{Reason: channel.ReasonWrongApp, Message: "app_id is not the app of this channel"}
	}
	signedBy, refusal := z.authenticate(header, body, &m)
	if refusal != nil && z.mode != config.SignatureAudit {
		return channel.Call{}, refusal
	}
	call := z.identify(at, &m, body)
	call.Verified, call.SignedBy = refusal == nil && z.mode != config.SignatureOff, signedBy
	if refusal != nil {
		call.AuditFailure = refusal.Reason
	}
	return call, nil
}

// DomainProof serves Zalo's domain verification.
func (z *Channel) DomainProof() channel.DomainProof { return z.proof }

// isProbe reports whether the body is what Zalo's console sends when a webhook
// URL is saved: nothing, or an empty object. A large body of white space is no
// probe, or whoever has the API key alone could send it.
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

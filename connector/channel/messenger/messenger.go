// Package messenger is the channel type of Meta apps: Facebook Pages in Messenger, and Instagram accounts. It verifies
// and identifies the calls that Meta makes for one app.
//
// Meta posts the events of every Page that installed an app to the app's one callback URL. A call is JSON in UTF-8,
// signed over its raw bytes, and carries many events. Each event is the bytes of its own item.
package messenger

import (
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// contentType is that of every event: the body is judged as JSON, whatever its header says.
const contentType = "application/json"

// Channel is one configured Meta app. It is immutable.
type Channel struct {
	name       string
	mode       channel.SignatureMode
	secretKeys channel.Keys
	macs       macs
	// verifyToken is empty while it is missing.
	verifyToken config.Secret
	// pages are those on the allow-list.
	pages map[string]bool
}

// Read classifies, verifies and identifies one call; see channel.Channel.
func (m *Channel) Read(at time.Time, header http.Header, body []byte) (channel.Reading, *channel.Refusal) {
	if channel.IsProbe(body) {
		return channel.Reading{}, nil
	}
	envelope, err := envelopeLayout.Scan(body)
	if err != nil {
		return channel.Reading{}, channel.Malformed(err)
	}
	signedBy, refusal := m.authenticate(header, body)
	if refusal != nil && m.mode != channel.SignatureAudit {
		if malformed := walk(body, &envelope, func(*item) {}); malformed != nil {
			refusal = malformed // decides before the signature, and costs a stranger's call no memory
		}
		return channel.Reading{}, refusal
	}
	reading := channel.Reading{Verified: refusal == nil && m.mode != channel.SignatureOff, SignedBy: signedBy}
	if refusal != nil {
		reading.AuditFailure = refusal.Reason
	}
	if refusal = walk(body, &envelope, func(one *item) { reading.Calls = append(reading.Calls, m.identify(at, one)) }); refusal != nil {
		return channel.Reading{}, refusal
	}
	return reading, nil
}

// Answer is xBot's own: a status of "0" or "1" beside HTTP's.
func (m *Channel) Answer(status int, message string) channel.Answer {
	return channel.JSONAnswer(status, message)
}

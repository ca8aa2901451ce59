package channel

import (
	"cmp"
	"crypto/sha256"
	"fmt"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// SignatureMode says what happens to a call whose signature does not verify.
type SignatureMode string

const (
	// SignatureEnforce refuses it with 401.
	SignatureEnforce SignatureMode = "Enforce"
	// SignatureAudit accepts it, and counts and reports it.
	SignatureAudit SignatureMode = "Audit"
	// SignatureOff looks at no signature at all.
	SignatureOff SignatureMode = "Off"
)

// weakModes are the modes that verify less than they could, with the calls that they let in.
var weakModes = map[SignatureMode]string{
	SignatureAudit: "calls with a wrong signature or none are let in and counted; every holder of an API key can send events",
	SignatureOff:   "no signature is looked at; every holder of an API key can send events",
}

// Check checks a field that holds the mode.
func (m SignatureMode) Check(c *config.Checker, field string) {
	c.OneOf(field, m, SignatureEnforce, SignatureAudit, SignatureOff)
	if weak := weakModes[m]; weak != "" {
		c.Warnf(field, "%s: %s", m, weak)
	}
}

// Signing says how the calls of a channel are verified.
type Signing struct {
	Mode SignatureMode
	// Keys are the keys that are there.
	Keys []SigningKey
}

// SigningKey is what verifies calls: a key that the platform shares with us, or an authority whose keys it publishes.
type SigningKey struct {
	// Source is where it stands, for messages.
	Source string
	// Digest tells it apart from others. Of a secret it is the SHA-256.
	Digest [sha256.Size]byte
	// Account is the only account whose events the key verifies; empty for all accounts.
	Account string
}

// Add adds the keys that are there. They verify the events of the account, or of all accounts if it is empty. A key
// without a source gets its field as the source.
func (s *Signing) Add(field, account string, keys []config.Secret) {
	for i, key := range keys {
		if key.Reveal() != "" {
			s.Keys = append(s.Keys, SigningKey{cmp.Or(key.Source, fmt.Sprintf("%s[%d]", field, i)), key.Digest(), account})
		}
	}
}

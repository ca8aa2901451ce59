package zalo

import (
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// DefaultPath is xBot's public push path.
const DefaultPath = "/webhook/xpbot/api/zalo/push"

// typeName is the type's, and part of every event's id.
const typeName = "ZaloOA"

// secretName is what Zalo's console calls the key.
const secretName = "OA secret key"

// rightSecret tells it from the others.
const rightSecret = "the " + secretName + " that the console shows with the webhook, not the app's secret key of OAuth, nor an access token"

// Type is a Zalo Official Account app. Zalo gives up on a call after 2 s, network included. It sends an event again for
// 1 h 50 min.
var Type = channel.Type{
	Type: config.Type{
		Name:         typeName,
		Platform:     "Zalo",
		New:          func() config.Section { return &Settings{Signature: Signature{Mode: channel.SignatureEnforce}} },
		DefaultPath:  DefaultPath,
		PublicPrefix: verifierPrefix,
		RetryFor:     110 * time.Minute,
	},
	AnswerIn: 1800 * time.Millisecond,
	Words: channel.Words{
		SecretName:    secretName,
		Field:         "signature",
		NeverVerified: "Zalo has three secrets: put " + rightSecret + ", into the Secret that signature.secretKeyRefs names",
		NoLonger:      "the key was reset in Zalo's console: put the new one, " + rightSecret + ", into the Secret",
	},
	Echoes: []string{"oa_send_*", "user_seen_message", "user_received_message"},
	Sample: userSendText,
}

var _ channel.Settings = (*Settings)(nil)

// Settings is a Zalo app with one or more Official Accounts (OAs).
type Settings struct {
	// AppID is the Zalo app's id: decimal digits, quoted in YAML. Required.
	AppID string `yaml:"appID,omitempty"`
	// Signature says how calls are verified.
	Signature Signature `yaml:"signature,omitempty"`
	// OfficialAccounts is an allow-list: the events of these OAs are delivered, and events that name no OA. An OA's id
	// that is no text or too long is on no list. Empty: every OA that authorised the app.
	OfficialAccounts []OfficialAccount `yaml:"officialAccounts,omitempty"`
	// DomainVerification proves to Zalo's console that the webhook's domain is yours.
	DomainVerification DomainVerification `yaml:"domainVerification,omitempty"`
}

// Signature is the verification of the header X-ZEvent-Signature.
type Signature struct {
	// Mode is "Enforce", "Audit" or "Off". Default: "Enforce".
	Mode channel.SignatureMode `yaml:"mode,omitempty"`
	// SecretKeys are the OA secret keys from Zalo's console. Each of them signs for every OA of the app, and for events
	// that name no OA: list the old and the new one during a rotation. Required unless an OA of officialAccounts has
	// keys, or mode is "Off", which uses no key. Zalo's console shows the first key only after it has called the
	// webhook. While every key is missing, mode "Enforce" answers events 503, so that Zalo's retries keep them.
	SecretKeys []config.Secret `yaml:"secretKeys,omitempty"`
}

// OfficialAccount is an OA on the allow-list.
type OfficialAccount struct {
	// ID is the OA's id, quoted in YAML. Required.
	ID string `yaml:"id,omitempty"`
	// DisplayName is for people.
	DisplayName string `yaml:"displayName,omitempty"`
	// SecretKeys are OA secret keys that sign for this OA alone, in addition to those of signature.secretKeys. They
	// verify an event if it names this OA and no other one of the list. So a holder of one OA's key cannot speak for
	// another OA.
	SecretKeys []config.Secret `yaml:"secretKeys,omitempty"`
}

// DomainVerification lists the codes that Zalo's console shows.
type DomainVerification struct {
	// Codes are served as /zalo_verifier<code>.html and as meta tags on /. Letters, digits, "-" and "_" only.
	Codes []string `yaml:"codes,omitempty"`
}

// goodSecretKey is below the length of Zalo's OA secret keys, in characters. A shorter key is taken with a warning,
// since the length is Zalo's choice.
const goodSecretKey = 16

var (
	digits           = regexp.MustCompile(`^[0-9]+$`)
	verificationCode = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// Check says what is wrong with the section, and reads the OA secret keys.
func (s *Settings) Check(c *config.Checker) {
	if c.Required("appID", s.AppID) && !digits.MatchString(s.AppID) {
		c.Problemf("appID", "want decimal digits only")
	}
	s.Signature.Mode.Check(c, "signature.mode")
	keys := len(s.Signature.SecretKeys)
	checkKeys(c, "signature.secretKeys", s.Signature.SecretKeys)
	ids := map[string]string{}
	for i, account := range s.OfficialAccounts {
		field := fmt.Sprintf("officialAccounts[%d]", i)
		c.Required(field+".id", account.ID)
		c.Unique(field+".id", account.ID, ids)
		checkKeys(c, field+".secretKeys", account.SecretKeys)
		keys += len(account.SecretKeys)
	}
	if keys == 0 && s.Signature.Mode != channel.SignatureOff {
		c.Problemf("signature.secretKeys", "want at least one key, here or in officialAccounts, or mode \"Off\"; "+
			"before Zalo's console shows the first one, name a file that does not exist yet")
	}
	codes := map[string]string{}
	for i, code := range s.DomainVerification.Codes {
		field := fmt.Sprintf("domainVerification.codes[%d]", i)
		c.Unique(field, code, codes)
		if !verificationCode.MatchString(code) {
			c.Problemf(field, "want letters, digits, - and _ only")
		}
	}
}

// checkKeys reads OA secret keys.
func checkKeys(c *config.Checker, field string, keys []config.Secret) {
	for i := range keys {
		key := fmt.Sprintf("%s[%d]", field, i)
		if c.SigningKey(key, &keys[i], secretName, "Zalo's console") && utf8.RuneCountInString(keys[i].Reveal()) < goodSecretKey {
			c.Warnf(key, "is shorter than %d characters: make sure that it is complete", goodSecretKey).Reason = config.ReasonShort
		}
	}
}

// Signing says how calls are verified. The keys of the app come first.
func (s *Settings) Signing() channel.Signing {
	signing := channel.Signing{Mode: s.Signature.Mode}
	signing.Add("signature.secretKeys", "", s.Signature.SecretKeys)
	for i, account := range s.OfficialAccounts {
		signing.Add(fmt.Sprintf("officialAccounts[%d].secretKeys", i), account.ID, account.SecretKeys)
	}
	return signing
}

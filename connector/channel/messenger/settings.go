package messenger

import (
	"crypto/subtle"
	"fmt"
	"time"
	"unicode/utf8"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// DefaultPath is the path that xBot's other types of channels would lead one to expect.
const DefaultPath = "/webhook/xpbot/api/messenger/push"

// typeName is the type's, and part of every event's id.
const typeName = "FacebookMessenger"

// secretName is what Meta's console calls the key.
const secretName = "app secret"

// rightSecret tells it from the others.
const rightSecret = "the App secret of App settings > Basic in Meta's console, " +
	"not the verify token, nor an access token"

// Type is a Meta app. Meta gives up on a call after 20 s, and sends it again for 36 h.
var Type = channel.Type{
	Type: config.Type{
		Name:        typeName,
		Platform:    "Meta",
		New:         func() config.Section { return &Settings{Signature: Signature{Mode: channel.SignatureEnforce}} },
		DefaultPath: DefaultPath,
		RetryFor:    36 * time.Hour,
	},
	AnswerIn: channel.MaxAnswerIn,
	Words: channel.Words{
		SecretName:    secretName,
		Field:         "signature",
		NeverVerified: "a Meta app has several secrets: put " + rightSecret + ", into the Secret that signature.secretKeyRefs names",
		NoLonger:      "the secret was reset in Meta's console: put the new one, " + rightSecret + ", into the Secret",
	},
	Echoes: []string{"message_echo*", "delivery", "read", "standby_*"},
	Sample: textMessage,
}

var _ channel.Settings = (*Settings)(nil)

// Settings is a Meta app with Facebook Pages or Instagram accounts.
type Settings struct {
	// Signature says how calls are verified.
	Signature Signature `yaml:"signature,omitempty"`
	// VerifyTokenSecret is the verify token: a text of your own choice that Meta shows when the callback URL is saved.
	// While it is missing, that call is answered 503. Required.
	VerifyTokenSecret config.Secret `yaml:"verifyTokenSecret,omitempty"`
	// Pages is an allow-list: the events of these Pages or Instagram accounts are delivered, and events that name none.
	// An id that is no text or too long is on no list. Empty: every Page and account of the app.
	Pages []Page `yaml:"pages,omitempty"`
}

// Signature is the verification of the header X-Hub-Signature-256.
type Signature struct {
	// Mode is "Enforce", "Audit" or "Off". Default: "Enforce".
	Mode channel.SignatureMode `yaml:"mode,omitempty"`
	// SecretKeys are the app secrets from Meta's console. Each of them signs for every Page: list the old and the new
	// one during a rotation. Required unless mode is "Off", which uses no key. While every key is missing, mode
	// "Enforce" answers events 503, so that Meta's retries keep them.
	SecretKeys []config.Secret `yaml:"secretKeys,omitempty"`
}

// Page is a Page or an Instagram account on the allow-list.
type Page struct {
	// ID is that of the Page, or of the Instagram professional account, quoted in YAML. Required.
	ID string `yaml:"id,omitempty"`
	// DisplayName is for people.
	DisplayName string `yaml:"displayName,omitempty"`
}

// goodSecretKey is the length of Meta's app secrets, in characters. A shorter key is taken with a warning, since the
// length is Meta's choice.
const goodSecretKey = 32

// Check says what is wrong with the section, and reads its secrets.
func (s *Settings) Check(c *config.Checker) {
	s.Signature.Mode.Check(c, "signature.mode")
	for i := range s.Signature.SecretKeys {
		checkKey(c, fmt.Sprintf("signature.secretKeys[%d]", i), &s.Signature.SecretKeys[i])
	}
	if len(s.Signature.SecretKeys) == 0 && s.Signature.Mode != channel.SignatureOff {
		c.Problemf("signature.secretKeys", "want at least one key, or mode \"Off\"")
	}
	if c.Key("verifyTokenSecret", &s.VerifyTokenSecret) {
		s.checkVerifyToken(c)
	}
	ids := map[string]string{}
	for i, page := range s.Pages {
		field := fmt.Sprintf("pages[%d].id", i)
		c.Required(field, page.ID)
		c.Unique(field, page.ID, ids)
	}
}

// checkKey reads an app secret.
func checkKey(c *config.Checker, field string, key *config.Secret) {
	if c.SigningKey(field, key, secretName, "Meta's console") && utf8.RuneCountInString(key.Reveal()) < goodSecretKey {
		c.Warnf(field, "is shorter than %d characters: make sure that it is complete", goodSecretKey).Reason = config.ReasonShort
	}
}

// checkVerifyToken refuses an app secret as the verify token: Meta's call would carry it in a URL, which proxies log.
func (s *Settings) checkVerifyToken(c *config.Checker) {
	token := s.VerifyTokenSecret.Digest()
	for i := range s.Signature.SecretKeys {
		key := s.Signature.SecretKeys[i].Digest()
		if subtle.ConstantTimeCompare(key[:], token[:]) == 1 {
			c.Unfitf("verifyTokenSecret", &s.VerifyTokenSecret, "is the same as signature.secretKeys[%d], and would stand in URLs: "+
				"make a verify token of its own with \"openssl rand -hex 32\"", i)
			return
		}
	}
}

// Signing says how calls are verified.
func (s *Settings) Signing() channel.Signing {
	signing := channel.Signing{Mode: s.Signature.Mode}
	signing.Add("signature.secretKeys", "", s.Signature.SecretKeys)
	return signing
}

// Open makes the channel; see channel.Settings.
func (s *Settings) Open(name string, _ channel.Environment) channel.Channel {
	m := &Channel{
		name: name, mode: s.Signature.Mode, secretKeys: channel.NewKeys(s.Signature.SecretKeys),
		verifyToken: s.VerifyTokenSecret, pages: make(map[string]bool, len(s.Pages)),
	}
	m.macs = newMACs(m.secretKeys)
	for _, page := range s.Pages {
		m.pages[page.ID] = true
	}
	return m
}

package zalobot

import (
	"fmt"
	"time"
	"unicode/utf8"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// DefaultPath is the path that xBot's other types of channels would lead one to expect.
const DefaultPath = "/webhook/xpbot/api/zalobot/push"

// typeName is the type's, and part of every event's id.
const typeName = "ZaloBot"

// secretName is what Zalo calls the key.
const secretName = "secret token"

// rightSecret tells it from the others.
const rightSecret = "the secret_token that setWebhook was called with, not the bot's token"

// Type is a bot of the Zalo Bot platform. Nothing is known of how long it waits, so a call is answered as one of a Zalo
// Official Account; nor that it sends a call again.
var Type = channel.Type{
	Type: config.Type{
		Name:        typeName,
		Platform:    "Zalo Bot",
		New:         func() config.Section { return &Settings{SecretToken: SecretToken{Mode: channel.SignatureEnforce}} },
		DefaultPath: DefaultPath,
	},
	AnswerIn: 1800 * time.Millisecond,
	Words: channel.Words{
		SecretName:    secretName,
		Field:         "secretToken",
		NeverVerified: "a bot has two secrets: put " + rightSecret + ", into the Secret that secretToken.secretKeyRefs names",
		NoLonger:      "setWebhook was called with another token: put " + rightSecret + ", into the Secret, or call setWebhook again",
	},
	Sample:   textMessage,
	Register: Register,
}

var _ channel.Settings = (*Settings)(nil)

// Settings is a bot of the Zalo Bot platform.
type Settings struct {
	// SecretToken says how calls are verified.
	SecretToken SecretToken `yaml:"secretToken,omitempty"`
}

// SecretToken is the verification of the header X-Bot-Api-Secret-Token.
type SecretToken struct {
	// Mode is "Enforce", "Audit" or "Off". Default: "Enforce".
	Mode channel.SignatureMode `yaml:"mode,omitempty"`
	// SecretKeys are the secret tokens that setWebhook is called with, 8 to 256 characters. A call with any of them is
	// let in: list the old and the new one during a rotation. Required unless mode is "Off", which uses no key. While
	// every key is missing, mode "Enforce" answers events 503.
	SecretKeys []config.Secret `yaml:"secretKeys,omitempty"`
}

// The bounds on the length of a secret token, in characters, are those of setWebhook.
const (
	shortestToken = 8
	longestToken  = 256
)

// Check says what is wrong with the section, and reads its secrets.
func (s *Settings) Check(c *config.Checker) {
	s.SecretToken.Mode.Check(c, "secretToken.mode")
	for i := range s.SecretToken.SecretKeys {
		field, key := fmt.Sprintf("secretToken.secretKeys[%d]", i), &s.SecretToken.SecretKeys[i]
		if !c.SigningKey(field, key, secretName, "the call of setWebhook") {
			continue
		}
		if length := utf8.RuneCountInString(key.Reveal()); length < shortestToken || length > longestToken {
			c.Unfitf(field, key, "has %d characters, and setWebhook takes %d to %d: make one with \"openssl rand -hex 32\"",
				length, shortestToken, longestToken)
		}
	}
	if len(s.SecretToken.SecretKeys) == 0 && s.SecretToken.Mode != channel.SignatureOff {
		c.Problemf("secretToken.secretKeys", "want at least one key, or mode \"Off\"")
	}
}

// Signing says how calls are verified.
func (s *Settings) Signing() channel.Signing {
	signing := channel.Signing{Mode: s.SecretToken.Mode}
	signing.Add("secretToken.secretKeys", "", s.SecretToken.SecretKeys)
	return signing
}

// Open makes the channel; see channel.Settings.
func (s *Settings) Open(name string, _ channel.Environment) channel.Channel {
	return &Channel{name: name, mode: s.SecretToken.Mode, secretKeys: channel.NewKeys(s.SecretToken.SecretKeys)}
}

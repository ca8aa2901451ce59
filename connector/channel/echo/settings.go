package echo

import (
	"fmt"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

var _ channel.Settings = (*Settings)(nil)

// Settings are the section "echo".
type Settings struct {
	// WordSecret is what the platform shows in its handshake. Required.
	WordSecret config.Secret `yaml:"wordSecret,omitempty"`
	// SecretKeys sign calls. Default: none, and no call is verified.
	SecretKeys []config.Secret `yaml:"secretKeys,omitempty"`
}

// Check says what is wrong with the section.
func (s *Settings) Check(c *config.Checker) {
	c.Secret("wordSecret", &s.WordSecret)
	for i := range s.SecretKeys {
		c.SigningKey(fmt.Sprintf("secretKeys[%d]", i), &s.SecretKeys[i], secretName, console)
	}
}

// Signing says how calls are verified.
func (s *Settings) Signing() channel.Signing {
	signing := channel.Signing{Mode: channel.SignatureOff}
	if len(s.SecretKeys) > 0 {
		signing.Mode = channel.SignatureEnforce
		signing.Add("secretKeys", "", s.SecretKeys)
	}
	return signing
}

// Open makes the channel.
func (s *Settings) Open(name string, _ channel.Environment) channel.Channel {
	return &echo{name: name, word: s.WordSecret.Reveal(), mode: s.Signing().Mode, keys: s.SecretKeys}
}

package main

import (
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/test/kit/example"
)

// The example configuration is one that the connector takes.
func TestConfig(t *testing.T) {
	s := &stage{
		folder: t.TempDir(), apiKey: example.Key(32), secret: example.Key(16),
		addresses: addresses{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
	}
	if err := s.writeConfig(); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(s.configPath())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Channels[0].Webhook.APIKeys[0].Reveal(); got != s.apiKey {
		t.Errorf("the API key is %q, want the generated one", got)
	}
}

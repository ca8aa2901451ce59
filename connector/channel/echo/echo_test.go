package echo_test

import (
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/echo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

const apiKey = "hidden-api-key-of-more-than-32-characters"

// TestCheck: the loader says what is wrong with the section, and quotes no secret of it.
func TestCheck(t *testing.T) {
	known := types.Config()
	known.Channels = append(known.Channels, echo.Type.Type)
	for name, tt := range map[string]struct {
		section, problem string
		mode             channel.SignatureMode
	}{
		"a word alone":    {section: "wordSecret: {value: hidden-word}", mode: channel.SignatureOff},
		"a word and keys": {section: "wordSecret: {value: hidden-word}, secretKeys: [{value: hidden-key}]", mode: channel.SignatureEnforce},
		"no word": {
			section: "secretKeys: [{value: hidden-key}]", problem: "channels[0].echo.wordSecret: set exactly one of value, file and missing",
		},
		"a field that is unknown": {
			section: "wordSecre: {value: hidden-word}", problem: `channels[0].echo.wordSecre: unknown field: did you mean "wordSecret"?`,
		},
		"a key of two words": {
			section: "wordSecret: {value: hidden-word}, secretKeys: [{value: hidden key}]",
			problem: "channels[0].echo.secretKeys[0]: holds white space",
		},
		"a key that lets calls in": {
			section: "wordSecret: {value: hidden-word}, secretKeys: [{value: " + apiKey + "}]", problem: "copy the echo key from the echo's console",
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
inbox: {embedded: {path: inbox}}
channels:
- name: chat/echo
  type: Echo
  echo: {` + tt.section + `}
  webhook: {apiKeys: [{name: main, value: ` + apiKey + `}]}
  sink: {http: {url: "http://bot.example/events"}}
`
			loaded, err := config.LoadFrom("/connector.yaml", known, func(string) ([]byte, error) { return []byte(file), nil })
			switch {
			case tt.problem == "" && err != nil:
				t.Fatal(err)
			case tt.problem == "":
				if got := loaded.Channels[0].Settings.(channel.Settings).Signing().Mode; got != tt.mode {
					t.Errorf("mode %s, want %s", got, tt.mode)
				}
			case err == nil || !strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "hidden"):
				t.Errorf("%v, want %q and no secret", err, tt.problem)
			}
		})
	}
}

func TestTooManyLines(t *testing.T) {
	open := (&echo.Settings{}).Open("chat/echo", channel.Environment{})
	for lines, refused := range map[int]bool{channel.MaxCalls: false, channel.MaxCalls + 1: true} {
		body := []byte(strings.Repeat("1 anna hidden\n", lines))
		if _, refusal := open.Read(time.Unix(1, 0), nil, body); (refusal != nil) != refused {
			t.Errorf("%d lines: %v", lines, refusal)
		}
	}
}

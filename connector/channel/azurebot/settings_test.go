package azurebot_test

import (
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/azurebot"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// TestCheck: the loader says what is wrong with the section, and quotes no secret of it.
func TestCheck(t *testing.T) {
	const app = "appID: 6b1c8f0e-5a1d-4c0e-9a52-1f2e3d4c5b6a"
	for name, tt := range map[string]struct {
		section, problem string
		mode             channel.SignatureMode
	}{
		"an app alone":          {section: app, mode: channel.SignatureEnforce},
		"nothing verified":      {section: `token: {mode: "Off"}`, mode: channel.SignatureOff},
		"a cloud":               {section: app + ", token: {mode: Audit, cloud: China}", mode: channel.SignatureAudit},
		"no app":                {section: "userID: Clear", problem: `azureBot.appID: required unless token.mode is "Off"`},
		"no app under Audit":    {section: "token: {mode: Audit}", problem: `azureBot.appID: required unless token.mode is "Off"`},
		"an app that is none":   {section: "appID: hidden", problem: "azureBot.appID: want the bot's Microsoft App ID, a GUID"},
		"an unknown mode":       {section: app + ", token: {mode: hidden}", problem: "azureBot.token.mode: want"},
		"an unknown cloud":      {section: app + ", token: {cloud: hidden}", problem: "azureBot.token.cloud: want"},
		"an unknown user id":    {section: app + ", userID: hidden", problem: "azureBot.userID: want"},
		"a cloud and a URL":     {section: app + `, token: {cloud: Public, metadataURL: "https://a"}`, problem: "token.metadataURL: set either"},
		"a URL with a secret":   {section: app + `, token: {metadataURL: "https://a:hidden@b"}`, problem: "token.metadataURL: want an absolute"},
		"a URL with a query":    {section: app + `, token: {metadataURL: "https://b?hidden"}`, problem: "token.metadataURL: want an absolute"},
		"a relative URL":        {section: app + `, token: {metadataURL: /hidden}`, problem: "token.metadataURL: want an absolute"},
		"a tenant that is none": {section: app + ", token: {tenants: [common]}", problem: "token.tenants[0]: want the id"},
		"a tenant given twice": {
			section: app + ", token: {tenants: [0F0F0F0F-abcd-4000-8000-00000000000a, 0f0f0f0f-abcd-4000-8000-00000000000A]}",
			problem: "token.tenants[1]: the same as",
		},
		"a web chat without keys": {section: app + ", webChat: {}", problem: "webChat.directLineSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := load(tt.section)
			switch {
			case tt.problem == "" && err != nil:
				t.Fatal(err)
			case tt.problem == "":
				if got := settings.Signing().Mode; got != tt.mode {
					t.Errorf("mode %s, want %s", got, tt.mode)
				}
			case err == nil || !strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "hidden"):
				t.Errorf("%v, want %q and nothing of the file", err, tt.problem)
			}
		})
	}
}

func load(section string) (channel.Settings, error) {
	file := `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
inbox: {embedded: {path: inbox}}
channels:
- name: chat/bot
  type: AzureBot
  azureBot: {` + section + `}
  webhook: {apiKeys: [{name: main, value: hidden-api-key-of-more-than-32-characters}]}
  sink: {http: {url: "http://bot.example/events"}}
`
	loaded, err := config.LoadFrom("/connector.yaml", types.Config(), func(string) ([]byte, error) { return []byte(file), nil })
	if err != nil {
		return nil, err
	}
	return loaded.Channels[0].Settings.(channel.Settings), nil
}

// TestTheWebChatHasAnEndpoint: with the section, and without it there is none.
func TestTheWebChatHasAnEndpoint(t *testing.T) {
	const off = `token: {mode: "Off"}`
	const partner = "{name: web, value: hidden-partner-key-of-more-than-32-characters}"
	for section, want := range map[string]int{
		off: 0, off + ", webChat: {directLineSecret: {missing: true}, partnerKeys: [" + partner + "]}": 1,
	} {
		settings, err := load(section)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := azurebot.Type.Open("chat/bot", settings, channel.Environment{})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(opened.(channel.EndpointServer).Endpoints()); got != want || len(azurebot.Type.PublicPaths(settings)) != want {
			t.Errorf("%s: %d endpoints, want %d", section, got, want)
		}
		if calls := azurebot.Type.Calls(settings); len(calls) != want {
			t.Errorf("%s: calls %v", section, calls)
		}
	}
}

package webchat_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/webchat"
	"xbot.a4b.vn/channel-connector/connector/channel/echo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// host is a section with web chat in it.
type host struct {
	echo.Settings `yaml:"-"`

	WebChat *webchat.Settings `yaml:"webChat,omitempty"`
}

func (h *host) Check(c *config.Checker) {
	if h.WebChat != nil {
		h.WebChat.Check(c, "webChat")
	}
}

var hostType = channel.Type{Type: config.Type{
	Name: "Host", DefaultPath: "/host", PublicPrefix: webchat.PathPrefix, New: func() config.Section { return &host{} },
}}

const apiKey = "hidden-api-key-of-more-than-32-characters"

// load loads a section webChat. Its result are the problems, the lacks and the warnings, as one text.
func load(t *testing.T, section string) (*webchat.Settings, string) {
	t.Helper()
	file := `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
inbox: {embedded: {path: inbox}}
channels:
- name: chat/host
  type: Host
  host: {webChat: {` + section + `}}
  webhook: {apiKeys: [{name: main, value: ` + apiKey + `}]}
  sink: {http: {url: "http://bot.example/events"}}
`
	known := types.Config()
	known.Channels = append(known.Channels, hostType.Type)
	loaded, err := config.LoadFrom("/connector.yaml", known, func(path string) ([]byte, error) {
		if path == "/connector.yaml" {
			return []byte(file), nil
		}
		return nil, fs.ErrNotExist
	})
	if err != nil {
		return nil, err.Error()
	}
	return loaded.Channels[0].Settings.(*host).WebChat, fmt.Sprint(loaded.Lacks(), loaded.Warnings())
}

func TestCheck(t *testing.T) {
	const (
		secret = "directLineSecret: {value: " + directLineSecret + "}"
		keys   = "partnerKeys: [{name: main, value: " + partnerKey + "}]"
		both   = secret + ", " + keys
	)
	for name, tt := range map[string]struct{ section, said string }{
		"the smallest": {both, ""},
		"everything": {both + `, userIDSecret: {value: ` + newPartnerKey + `}` +
			`, url: "https://europe.directline.botframework.com/", ` +
			`trustedOrigins: ["https://shop.example:8443", "http://localhost:3000", "http://[::1]"]`, "",
		},
		"no secret": {keys, "webChat.directLineSecret: set exactly one of value, file and missing"},
		"not there yet": {"directLineSecret: {missing: true, source: s/direct-line}, " + keys,
			"webChat.directLineSecret: s/direct-line is not there",
		},
		"a file that is no file": {"directLineSecret: {file: /no}, " + keys, "webChat.directLineSecret.file: the file cannot be read"},
		"an API key as the secret": {"directLineSecret: {value: " + apiKey + "}, " + keys,
			"is the same as the API key in channels[0].webhook.apiKeys[0]: the two are different things, copy the Direct Line secret from the page"},
		"no partner key": {secret, "webChat.partnerKeys: want 1 to 8 keys, not 0"},
		"nine": {secret + ", partnerKeys: [" + strings.Repeat("{name: a, missing: true},", 9) + "]",
			"webChat.partnerKeys: want 1 to 8 keys, not 9",
		},
		"a key without a name": {secret + ", partnerKeys: [{value: " + partnerKey + "}]", "webChat.partnerKeys[0].name: required"},
		"a name twice": {secret + ", partnerKeys: [{name: a, value: " + partnerKey + "}, {name: a, value: " + newPartnerKey + "}]",
			"webChat.partnerKeys[1].name: the same as"},
		"a key twice": {secret + ", partnerKeys: [{name: a, value: " + partnerKey + "}, {name: b, value: " + partnerKey + "}]",
			"webChat.partnerKeys[1]: is the same as the partner key in channels[0].host.webChat.partnerKeys[0]: write each key once"},
		"the secret as a key": {secret + ", partnerKeys: [{name: a, value: " + directLineSecret + "}]",
			"webChat.partnerKeys[0]: is the same as the Direct Line secret in channels[0].host.webChat.directLineSecret"},
		"an API key as a key": {secret + ", partnerKeys: [{name: a, value: " + apiKey + "}]", "copy the partner key from the partner"},
		"a key of 15": {secret + ", partnerKeys: [{name: a, value: hidden-89012345}]",
			"webChat.partnerKeys[0]: is shorter than 16 characters",
		},
		"a key of 16": {secret + ", partnerKeys: [{name: a, value: hidden-890123456}]",
			"webChat.partnerKeys[0]: is shorter than 32 characters",
		},
		"a key of two words": {secret + ", partnerKeys: [{name: a, value: hidden key of two words}]",
			"webChat.partnerKeys[0]: holds white space",
		},
		"a short user secret": {both + ", userIDSecret: {value: hidden}", "webChat.userIDSecret: is shorter than 16 characters"},
		"an unknown field":    {both + ", trustedOrigin: []", `unknown field: did you mean "trustedOrigins"?`},
		"an origin twice": {both + `, trustedOrigins: ["https://a.example", "https://a.example"]`,
			"webChat.trustedOrigins[1]: the same as",
		},
		"no URL":              {both + `, url: "hidden.example"`, "webChat.url: want an absolute URL such as"},
		"credentials":         {both + `, url: "https://hidden:hidden@dl.example"`, "webChat.url: must hold no credentials"},
		"a query":             {both + `, url: "https://dl.example/?hidden"`, "webChat.url: must hold no query"},
		"a port that is none": {both + `, url: "https://dl.example:65536"`, "webChat.url: want a port from 1 to 65535"},
		"plain http": {both + `, url: "http://dl.example"`,
			"webChat.url: http: the Direct Line secret and the tokens are sent in clear",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, said := load(t, tt.section)
			if tt.said == "" && said != "[] []" || !strings.Contains(said, tt.said) || strings.Contains(said, "hidden") {
				t.Errorf("%s, want %q and no secret", said, tt.said)
			}
		})
	}
	for _, origin := range []string{
		"https://a.example/", "https://A.example", "a.example", "https://a.example:0", "https://a.example:65536", "https://a.example/path", "*",
		"https://*.example", "ftp://a.example", "https://",
		"https://x@a.example", "https://a.example?", "https://a..example", "https://ộ.example", "",
	} {
		_, said := load(t, fmt.Sprintf("%s, trustedOrigins: [%q]", both, origin))
		if !strings.Contains(said, "webChat.trustedOrigins[0]: want an origin") {
			t.Errorf("%q: %s", origin, said)
		}
	}
}

// TestLoaded: the door has what the file says, and another version has other keys at once.
func TestLoaded(t *testing.T) {
	azure := newAzure(t)
	azure.secrets["hidden-second-key"] = true
	for _, tt := range []struct {
		secret, keys string
		old, new     int
	}{
		{directLineSecret, "{name: a, value: " + partnerKey + "}", 200, 401},
		{directLineSecret, "{name: a, value: " + partnerKey + "}, {name: b, value: " + newPartnerKey + "}", 200, 200},
		{"hidden-second-key", "{name: b, value: " + newPartnerKey + "}", 401, 200},
		{"hidden-wrong-secret", "{name: b, value: " + newPartnerKey + "}", 401, 502},
	} {
		s, said := load(t, "directLineSecret: {value: "+tt.secret+"}, partnerKeys: ["+tt.keys+`], url: "`+azure.URL+`"`)
		if s == nil {
			t.Fatal(said)
		}
		door := open(t, "", func(opened *webchat.Settings) { *opened = *s })
		got := []int{door.call(example).status}
		door.key = newPartnerKey
		if diff := cmp.Diff([]int{tt.old, tt.new}, append(got, door.call(example).status)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.keys, diff)
		}
	}
}

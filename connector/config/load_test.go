package config_test

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox/embedded"
	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
)

// hidden is in every secret of the tests, and must be in no message.
const hidden = "HiddenValue"

// minimal is the smallest useful configuration.
const minimal = `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
inbox:
  embedded:
    path: inbox
channels:
- name: chat/shop
  type: ZaloOA
  zaloOA:
    appID: "2553928453557884079"
    signature:
      secretKeys:
      - value: HiddenValue-oa-secret
  webhook:
    apiKeys:
    - name: first
      value: HiddenValue-api-key-0123456789abcdef
  sink:
    http:
      url: http://bot.chat.svc/events
`

// write makes a folder with the named files and returns the path of connector.yaml in it.
func write(tb testing.TB, named map[string]string) string {
	tb.Helper()
	folder := tb.TempDir()
	for name, content := range named {
		name = filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return filepath.Join(folder, "connector.yaml")
}

// sameConfig compares two configurations, loaded values included.
var sameConfig = cmp.Options{cmpopts.IgnoreFields(config.Config{}, "document", "digest", "files", "types"),
	cmp.AllowUnexported(config.Config{}, config.Materials{}, config.Secret{}, httpsink.Settings{}, httpsink.TLS{}, config.ServerTLS{}),
	cmpopts.IgnoreUnexported(tls.Config{}), cmpopts.EquateEmpty()}

func TestLoadFillsInDefaults(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	path := write(t, map[string]string{"connector.yaml": minimal})
	got, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	day := config.Duration(24 * time.Hour)
	want := &config.Config{
		APIVersion: config.APIVersion,
		Kind:       config.Kind,
		Server:     config.Server{Address: ":8080", MaxHeaderSize: 8 << 10, MaxHeaderLines: 100, MaxInFlight: 1024, MaxBufferedBytes: 64 << 20},
		Metrics:    config.Metrics{Address: "127.0.0.1:9090"},
		Log:        config.Log{Level: "info"},
		Admin:      config.Admin{Socket: filepath.Join(filepath.Dir(path), "inbox.admin.sock")},
		Inbox: config.Inbox{Type: "Embedded", DeduplicationWindow: day, Settings: &embedded.Settings{
			Path: filepath.Join(filepath.Dir(path), "inbox"), MaxSize: 1 << 30,
		}},
		Dispatch: config.Dispatch{MaxConcurrency: 1024},
		Stop: config.Stop{
			DrainDelay: config.Duration(5 * time.Second), GracePeriod: config.Duration(30 * time.Second), Pending: config.PendingKeep,
		},
		Channels: []config.Channel{{
			Name: "chat/shop", Type: "ZaloOA",
			Settings: &zalo.Settings{AppID: "2553928453557884079", Signature: zalo.Signature{
				Mode: channel.SignatureEnforce, SecretKeys: []config.Secret{config.NewSecret("HiddenValue-oa-secret")},
			}},
			Webhook: config.Webhook{
				Path: "/webhook/xpbot/api/zalo/push", MaxBodySize: 1 << 20, Events: config.EventFilter{Include: []string{"*"}},
				APIKeys:     []config.APIKey{{Name: "first", Secret: config.NewSecret("HiddenValue-api-key-0123456789abcdef")}},
				MaxEventAge: &day,
			},
			Sink: config.Sink{
				Type: "HTTP",
				Settings: &httpsink.Settings{
					URL: "http://bot.chat.svc/events", Timeout: config.Duration(10 * time.Second), LocalAddresses: httpsink.LocalAllow,
				},
			},
			Delivery: config.Delivery{
				Ordering: config.PerConversation, Concurrency: 64, DeadLetterRetention: 7 * day,
				Retry: config.Retry{InitialBackoff: config.Duration(time.Second), MaxBackoff: config.Duration(5 * time.Minute), MaxAge: day},
			},
		}},
	}
	if diff := cmp.Diff(want, got, sameConfig); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{path}, got.Files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestLoadServesNoChannelAtAll(t *testing.T) {
	text, _, _ := strings.Cut(minimal, "channels:")
	c, err := config.Load(write(t, map[string]string{"connector.yaml": text}), types.Config())
	if err != nil || len(c.Channels) != 0 {
		t.Errorf("got %v, %v", c, err)
	}
}

// TestLoadReadsTheFilesItNames uses every way to give a secret.
func TestLoadReadsTheFilesItNames(t *testing.T) {
	cert, key := certificate.New(t, 1)
	elsewhere := filepath.Join(t.TempDir(), "absolute")
	if err := os.WriteFile(elsewhere, []byte("HiddenValue-old"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := edit(t, minimal,
		"      - value: HiddenValue-oa-secret", "      - file: oa-key\n      - file: "+elsewhere,
		"value: HiddenValue-api-key-0123456789abcdef", "file: keys/api-key\n    - name: digest\n      sha256: "+strings.Repeat("Ab", 32),
		"url: http://bot.chat.svc/events", `url: https://bot.chat.svc/events
      headers:
      - name: Authorization
        file: authorization
      tls: {caFile: cert.pem, certFile: cert.pem, keyFile: key.pem}
      signingSecret:
        file: signing`,
		"inbox:\n", "server: {tls: {certFile: cert.pem, keyFile: key.pem}}\ninbox:\n",
	)
	path := write(t, map[string]string{
		"connector.yaml": text, "oa-key": " HiddenValue-oa-secret\n", "keys/api-key": "HiddenValue-api-key-0123456789abcdef\r\n",
		"authorization": "Bearer HiddenValue", "cert.pem": cert, "key.pem": key,
		"signing": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n",
	})
	c, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	ch := c.Channels[0]
	var digest [32]byte
	for i := range digest {
		digest[i] = 0xab
	}
	http := ch.Sink.Settings.(*httpsink.Settings)
	for what, pair := range map[string][2]any{
		"first OA key":   {ch.Settings.(*zalo.Settings).Signature.SecretKeys[0].Reveal(), "HiddenValue-oa-secret"},
		"second OA key":  {ch.Settings.(*zalo.Settings).Signature.SecretKeys[1].Reveal(), "HiddenValue-old"},
		"API key":        {ch.Webhook.APIKeys[0].Digest(), sha256.Sum256([]byte("HiddenValue-api-key-0123456789abcdef"))},
		"API key digest": {ch.Webhook.APIKeys[1].Digest(), digest},
		"header":         {http.Headers[0].Reveal(), "Bearer HiddenValue"},
		"signing secret": {http.SigningSecret.Reveal(), "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"},
		"client pairs":   {len(http.TLS.Client().Certificates), 1},
		"authorities":    {http.TLS.Client().RootCAs != nil, true},
		"server pair":    {len(c.Server.TLS.Certificate().Certificate), 1},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %v, want %v", what, pair[0], pair[1])
		}
	}
	names := make([]string, 0, len(c.Files()))
	for _, f := range c.Files() {
		names = append(names, filepath.Base(f))
	}
	want := []string{"connector.yaml", "cert.pem", "key.pem", "oa-key", "absolute", "api-key", "authorization", "signing"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if (*httpsink.TLS)(nil).Client() != nil {
		t.Error("a sink without tls has a TLS configuration")
	}
}

// TestExampleLoads keeps the example of the reference valid, and complete.
func TestExampleLoads(t *testing.T) {
	example, err := os.ReadFile("../../docs/example-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cert, key := certificate.New(t, 1)
	c, err := config.Load(write(t, map[string]string{
		"connector.yaml": string(example),
		"tls/tls.crt":    cert, "tls/tls.key": key, "tls/ca.crt": cert, "tls/client.crt": cert, "tls/client.key": key,
		"secrets/oa-secret-key": "HiddenValue-oa-secret", "secrets/api-key": "HiddenValue-api-key-0123456789abcdef",
		"secrets/authorization": "Bearer HiddenValue", "secrets/signing": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
		"secrets/hanoi-oa-secret-key": "HiddenValue-hanoi", "secrets/lab-oa-secret-key": "HiddenValue-lab",
		"secrets/lab-api-key": "HiddenValue-lab-api-key", "secrets/report-token": "HiddenValue-report-token",
		"secrets/helpdesk-api-key": "HiddenValue-helpdesk-api-key-0123456789", "secrets/direct-line": "HiddenValue-direct-line-secret",
		"secrets/user-ids": "HiddenValue-user-ids-0123456789abcdef", "secrets/web-partner": "HiddenValue-web-partner-0123456789abc",
		"tls/company-ca.crt": cert,
		"secrets/lab-url":    "https://bot.example/HiddenValue", "secrets/page-api-key": "HiddenValue-page-api-key",
		"secrets/bot-api-key": "HiddenValue-bot-api-key", "secrets/app-secret": "HiddenValue-app-secret",
		"secrets/verify-token": "HiddenValue-verify-token", "secrets/secret-token": "HiddenValue-secret-token",
	}), types.Config())
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	names(reflect.TypeOf(*c), fields)
	known := types.Config()
	for _, of := range slices.Concat(known.Channels, known.Inboxes, known.Sinks) {
		fields[of.Member()] = true
		names(reflect.TypeOf(of.New()), fields)
	}
	for name := range fields {
		if !regexp.MustCompile(`(?m)^[ -]*` + name + `:`).Match(example) {
			t.Errorf("the example lacks %s", name)
		}
	}
}

// TestReadmesExampleLoads keeps the first configuration that people write valid.
func TestReadmesExampleLoads(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```yaml\n")
	example, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("README.md has no block of YAML")
	}
	if _, err := config.Load(write(t, map[string]string{
		"connector.yaml": example, "secrets/oa-secret-key": "HiddenValue-oa-secret\n", "secrets/api-key": strings.Repeat("5f", 32) + "\n",
	}), types.Config()); err != nil {
		t.Error(err)
	}
}

// names collects the names in YAML of every field below t.
func names(t reflect.Type, into map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("yaml")
		if !tagged || tag == "-" { // a section, which belongs to its type
			continue
		}
		if name, _, _ := strings.Cut(tag, ","); name != "" { // else inlined
			into[name] = true
		}
		names(f.Type, into)
	}
}

func TestDigestCoversEveryFile(t *testing.T) {
	path := write(t, map[string]string{
		"connector.yaml": edit(t, minimal, "value: HiddenValue-api-key-0123456789abcdef", "file: api-key"),
		"api-key":        "HiddenValue-api-key-0123456789abcdef",
	})
	digest := func() string {
		c, err := config.Load(path, types.Config())
		if err != nil {
			t.Fatal(err)
		}
		if now := config.DigestOf(c.Files()); now != c.Digest() {
			t.Errorf("the digest is %s, and %s when the files are read again", c.Digest(), now)
		}
		return c.Digest()
	}
	first := digest()
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(first) {
		t.Errorf("digest %q", first)
	}
	if again := digest(); again != first {
		t.Errorf("the same files have digests %s and %s", first, again)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "api-key"), []byte("HiddenValue-new-api-key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed := digest(); changed == first {
		t.Errorf("a changed file left the digest at %s", first)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c, err := config.Load(write(t, map[string]string{"connector.yaml": minimal}), types.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		channel := c.Channels[0]
		shown := fmt.Sprintf(verb, channel.Webhook) + fmt.Sprintf(verb, channel.Settings)
		if strings.Contains(shown, hidden) {
			t.Errorf("%s shows a secret: %s", verb, shown)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("{}"))
	f.Add([]byte("channels: [{name: a, <<: *b}]"))
	for _, p := range problems {
		f.Add([]byte(p.text(f)))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		const path = "/nowhere/connector.yaml"
		loadBytes := func(content []byte) (*config.Config, error) {
			return config.LoadFrom(path, types.Config(), func(name string) ([]byte, error) {
				if name == path {
					return content, nil
				}
				return config.ReadFile(name)
			})
		}
		first, err := loadBytes(content)
		if err != nil {
			if invalid, ok := errors.AsType[*config.Error](err); !ok || len(invalid.Problems) == 0 {
				t.Fatalf("an error without a problem: %v", err)
			}
			return
		}
		rendered, err := first.Encode()
		if err != nil {
			t.Fatal(err)
		}
		second, err := loadBytes(rendered)
		if err != nil {
			t.Fatalf("a valid configuration is refused once rendered: %v\n%s", err, rendered)
		}
		// A rendered file puts the same settings on other lines.
		if diff := cmp.Diff(first, second, sameConfig, cmpopts.IgnoreFields(config.Problem{}, "Line")); diff != "" {
			t.Errorf("configuration (-first +second):\n%s", diff)
		}
	})
}

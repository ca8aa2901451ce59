package render_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// The schema and the connector's loader check the same fields in different languages. These tests hold that the loader
// takes whatever the schema takes: otherwise a resource is accepted, and then goes nowhere.

// text is a field that holds text, and some that it may hold.
type text struct {
	name  string
	patch string // %s stands for the value
	seeds []string
}

var texts = []text{
	{"app id", `zaloOA: {appID: %s}`, []string{"2553928453557884079", "0", "12a"}},
	{"OA", `zaloOA: {officialAccounts: [{id: %s, displayName: a}]}`, []string{"3662729599332560487", "a b", "null"}},
	{"display name", `zaloOA: {officialAccounts: [{id: a, displayName: %s}]}`, []string{"Shop Hà Nội", "", "- a: b #", "\u0085", "\x7f"}},
	{"code", `zaloOA: {domainVerification: {codes: [%s]}}`, []string{"AbC-d_1", "true", "1e3"}},
	{
		"path", `webhook: {path: %s}`,
		[]string{"/webhook/xpbot/api/zalo/push", "/a/b/", "/a/./b", "/a/../b", "/a/...", "/zalo_verifie", "/~!$&'()*+,;=:@/."},
	},
	{"API key's name", `webhook: {apiKeys: [{name: %s, secretKeyRef: {name: a, key: b}}]}`, []string{"2026-11", "~", "no"}},
	{"body size", `webhook: {maxBodySize: %s}`, []string{"1Mi", "64Mi", "1", "1.5", "512k", "0.5", "1500m", "67108864"}},
	{"header size", `webhook: {maxHeaderSize: %s}`, []string{"8Ki", "64Ki", "1Ki", "1.5Ki", "9k", "65536"}},
	{"event age", `webhook: {maxEventAge: %s}`, []string{"0s", "24h", "2h", "8760h", "0h0m0s", "7200s"}},
	{"event to include", `webhook: {events: {include: [%s]}}`, []string{"*", "user_send_*", "a.b-c"}},
	{"event to exclude", `webhook: {events: {exclude: [%s]}}`, []string{"oa_send_*", "null", "."}},
	{"window", `inbox: {deduplicationWindow: %s}`, []string{"24h", "2h", "7200s", "2h0m0.000000001s", "720h"}},
	{"inbox's size", `inbox: {embedded: {size: %s}}`, []string{"1Gi", "64Mi", "16Ti", "67108864", "0.1Ti", "64000001k"}},
	{"URL", `sink: {http: {url: %s}}`, []string{
		"http://bot.chat.svc/events", "HTTPS://bot:8443?a=b", "http://[::1]:80/",
		"http://[fe80::1%25eth0]/", "http://bot:/", "http://a@b", "http://b/%41", "http:///b",
		"http://bot:65535/", "http://[::1]:09?a=:0",
	}},
	{
		"proxy", `sink: {http: {proxy: %s}}`,
		[]string{
			"none", "http://proxy.example:3128", "https://proxy/", "socks5://10.0.0.1:1080",
			"socks5h://[::1]:1080", "http://[fd00::1]", "http://proxy:65529",
		},
	},
	{"time-out", `sink: {http: {timeout: %s}}`, []string{"10s", "100ms", "1m30s", "0.5s", "5m"}},
	{
		"header", `sink: {http: {headers: [{name: %s, secretKeyRef: {name: a, key: b}}]}}`,
		[]string{"Authorization", "x-a", "Te", "T-e", "Ce", "Webhook", "content-typ"},
	},
	{"first backoff", `delivery: {retry: {initialBackoff: %s}}`, []string{"1s", "10ms", "5m", "300000ms"}},
	{"longest backoff", `delivery: {retry: {maxBackoff: %s}}`, []string{"5m", "1s", "1000ms", "24h"}},
	{"age", `delivery: {retry: {maxAge: %s}}`, []string{"24h", "1s", "720h"}},
	{"retention", `delivery: {deadLetterRetention: %s}`, []string{"168h", "1m", "8760h"}},
}

// resource is the smallest one with the field set, or nil when the schema refuses it.
func (f text) resource(t *testing.T, value string) *v1alpha1.ChannelConnector {
	t.Helper()
	// In ASCII, because YAML takes no control characters as they are.
	return accepted(t, fmt.Sprintf(f.patch, strconv.QuoteToASCII(value)))
}

func accepted(t *testing.T, patch string) *v1alpha1.ChannelConnector {
	t.Helper()
	manifest, err := schematest.Resource(patch).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	c, err := schema.Decode(t.Context(), manifest)
	if err != nil {
		return nil
	}
	c.Namespace = "chat"
	return c
}

// renders reports a resource that the loader refuses.
func renders(t *testing.T, c *v1alpha1.ChannelConnector, what string) {
	t.Helper()
	if _, err := render.Render(c, loadable(c)); err != nil {
		t.Errorf("%s: the schema accepts it, the connector does not: %v", what, err)
	}
}

// loadable are credentials that the connector takes.
func loadable(c *v1alpha1.ChannelConnector) *render.Credentials {
	creds := &render.Credentials{Values: map[string]render.Value{}}
	for i, r := range render.References(c, v1alpha1.SecretKeyRef{}) {
		switch {
		case r.Use == render.APIKey:
			creds.Values[r.Field] = render.Value{SHA256: fmt.Sprintf("%064x", i)}
		case r.File == "sink-url":
			creds.Values[r.Field] = render.Value{Text: "https://bot.example/events"}
		case r.Use == render.SigningKey, strings.Contains(r.Field, ".headers["):
			creds.Values[r.Field] = render.Value{Text: "a-secret-key"}
		}
	}
	return creds
}

func TestWhatTheSchemaAcceptsLoads(t *testing.T) {
	const attempts = 30 // the fuzzer below tries more
	for i, field := range texts {
		t.Run(field.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			loaded := 0
			for range attempts {
				value := mutate(random, field.seeds[random.IntN(len(field.seeds))])
				if c := field.resource(t, value); c != nil {
					renders(t, c, fmt.Sprintf("%q", value))
					loaded++
				}
			}
			if loaded < attempts/10 {
				t.Errorf("only %d of %d values were accepted: that shows nothing", loaded, attempts)
			}
		})
	}
}

// mutate inserts, removes and replaces up to three characters.
func mutate(random *rand.Rand, value string) string {
	const alphabet = "aZ09./-_~*:@#?%&'`\"\\[]{}()|^ \t\n\x00é🛍smhkMiGTe+,;=!$<>"
	letters, choices := []rune(value), []rune(alphabet)
	for range random.IntN(4) {
		at := random.IntN(len(letters) + 1)
		drawn := choices[random.IntN(len(choices))]
		switch rest := letters[min(at+1, len(letters)):]; random.IntN(3) {
		case 0:
			letters = append(append([]rune{}, letters[:at]...), rest...)
		case 1:
			letters = append(append(append([]rune{}, letters[:at]...), drawn), rest...)
		default:
			letters = append(append(append([]rune{}, letters[:at]...), drawn), letters[at:]...)
		}
	}
	return string(letters)
}

// TestHeaderNamesAgree: the schema and the connector take and refuse the same names.
func TestHeaderNamesAgree(t *testing.T) {
	names := []string{
		"Host", "HOST", "content-length", "Content-Type", "connection",
		"Transfer-Encoding", "trailer", "TE", "te", "Upgrade", "ce-id", "Ce-", "CE-x",
		"webhook-id", "Webhook-", "ce", "webhook", "content", "T-e", "Authorization", "user-agent", "x-host", "é",
	}
	for c := range rune(128) {
		names = append(names, "x"+string(c))
	}
	taken := 0
	for _, name := range names {
		patch := fmt.Sprintf(`sink: {http: {headers: [{name: %s, secretKeyRef: {name: a, key: b}}]}}`, strconv.QuoteToASCII(name))
		inSchema := accepted(t, patch) != nil
		c := accepted(t, `sink: {http: {headers: [{name: a, secretKeyRef: {name: a, key: b}}]}}`)
		c.Spec.Sink.HTTP.Headers[0].Name = name
		_, err := render.Render(c, loadable(c))
		if inSchema != (err == nil) {
			t.Errorf("%q: the schema takes it: %v, the connector says %v", name, inSchema, err)
		}
		if inSchema {
			taken++
		}
	}
	if taken < 70 || taken > 100 {
		t.Errorf("%d of %d names were taken: that shows nothing", taken, len(names))
	}
}

func TestEveryAcceptedResourceLoads(t *testing.T) {
	for _, rule := range schematest.Rules {
		c := accepted(t, rule.Accepted)
		if c == nil {
			t.Fatalf("%s is refused", rule.Accepted)
		}
		renders(t, c, rule.Accepted)
	}
}

func FuzzWhatTheSchemaAcceptsLoads(f *testing.F) {
	for i, field := range texts {
		for _, seed := range field.seeds {
			f.Add(i, seed)
		}
	}
	f.Fuzz(func(t *testing.T, i int, value string) {
		if i < 0 || i >= len(texts) {
			return
		}
		if c := texts[i].resource(t, value); c != nil {
			renders(t, c, fmt.Sprintf("%s %q", texts[i].name, value))
		}
	})
}

package render_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// freeTexts are the free texts of a resource and its Secrets.
type freeTexts struct {
	appID, account, displayName, code, path, keyName, pattern, size string
	url, header, duration                                           string
	oaKey, headerValue                                              string
}

// manifest is a resource made of the texts.
func (x freeTexts) manifest(tb testing.TB) []byte {
	tb.Helper()
	type object = map[string]any
	type list = []any
	ref := func(name, key string) object { return object{"name": name, "key": key} }
	manifest, err := json.Marshal(object{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "ChannelConnector",
		"metadata": object{"name": "shop", "namespace": "chat"},
		"spec": object{
			"type": "ZaloOA",
			"zaloOA": object{
				"appID":              x.appID,
				"signature":          object{"secretKeyRefs": list{ref("shop-zalo", "oa-secret-key")}},
				"officialAccounts":   list{object{"id": x.account, "displayName": x.displayName}, object{"id": "1"}},
				"domainVerification": object{"codes": list{x.code}},
			},
			"webhook": object{
				"path": x.path, "maxBodySize": x.size,
				"apiKeys": list{
					object{"name": x.keyName, "secretKeyRef": ref("shop-xbot", "xp-api-key")},
					object{"name": "a", "secretKeyRef": ref("shop-xbot", "xp-api-key-old")},
				},
				"events": object{"include": list{x.pattern}, "exclude": list{x.pattern + "*"}},
			},
			"sink": object{"http": object{
				"url": x.url, "timeout": x.duration,
				"headers": list{
					object{"name": x.header, "secretKeyRef": ref("bot", "authorization")},
					object{"name": "Authorization", "secretKeyRef": ref("bot", "authorization")},
				},
			}},
			"delivery": object{"retry": object{"initialBackoff": x.duration}},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return manifest
}

// secrets are those of the resource.
func (x freeTexts) secrets(common map[string]*corev1.Secret) map[string]*corev1.Secret {
	all := maps.Clone(common)
	all["shop-zalo"] = &corev1.Secret{Data: map[string][]byte{"oa-secret-key": []byte(x.oaKey)}}
	all["bot"] = &corev1.Secret{Data: map[string][]byte{"authorization": []byte(x.headerValue)}}
	return all
}

// FuzzRender: what the schema and the policies take, the connector takes, and reads as it was written.
func FuzzRender(f *testing.F) {
	common := secrets(f)
	good := freeTexts{
		appID: "1", account: "2", displayName: "Shop Hà Nội", code: "c", path: "/p", keyName: "k", pattern: "user_*", size: "1Mi",
		url: "http://bot/", header: "X-A", duration: "1s", oaKey: hidden + "-oa-key", headerValue: "v",
	}
	add := func(change func(*freeTexts)) {
		x := good
		change(&x)
		f.Add(x.appID, x.account, x.displayName, x.code, x.path, x.keyName,
			x.pattern, x.size, x.url, x.header, x.duration, x.oaKey, x.headerValue)
	}
	add(func(*freeTexts) {})
	for _, text := range []string{
		"null", "~", "yes", "0x1F", "1e3", "1_000", "-", "<<", "=", "*a", "&a", "!!str a", "# a", "a: b", "a #b", "'", "\"", "%", "@", "`",
		" a", "a ", "a\nb", "a\r\nb", "a\rb", "\n a", "\t", "\u0085", "\u2028a", "\ufeff", "\x00", "\x7f", "\ud7ff", "\uffff", "\U0001F6D2",
		"2026-11-25", "12:30:45", ".inf", "0o17", "---", "...", "- a", "? a", "[a]", "{a}", "a\\", "\a\v\x1b",
	} {
		add(func(x *freeTexts) { x.account, x.displayName, x.keyName = text, text, text })
		add(func(x *freeTexts) { x.oaKey = text })
		add(func(x *freeTexts) { x.headerValue = text })
		add(func(x *freeTexts) { x.pattern, x.code = text, text })
	}
	for _, url := range []string{
		"HTTPS://BOT:8443/a?b=c", "http://[::1]/", "http://bot/%zz", "http://b ot/", "http://a@b/", "http://é/", "http://bot?@",
	} {
		add(func(x *freeTexts) { x.url = url })
	}
	for _, duration := range []string{"0.5s", "1.000000001s", "1m0.5s", "1h", "99999ms", "100ms", "1us"} {
		add(func(x *freeTexts) { x.duration = duration })
	}
	for _, size := range []string{"1", "1.5", "64Mi", "1500m", "1e3", "1k"} {
		add(func(x *freeTexts) { x.size = size })
	}
	f.Fuzz(
		func(t *testing.T, appID, account, displayName, code, path, keyName, pattern, size, url, header, duration, oaKey, headerValue string) {
			x := freeTexts{appID, account, displayName, code, path, keyName, pattern, size, url, header, duration, oaKey, headerValue}
			c, err := schema.Decode(t.Context(), x.manifest(t))
			if err != nil {
				return // no resource
			}
			creds := judged(t, c, x.secrets(common)).Credentials
			got, err := render.Render(c, creds)
			if err != nil {
				t.Fatalf("the schema takes what the connector refuses: %v", err)
			}
			checkRead(t, c, creds, loaded(t, got))
		})
}

// checkRead compares what the connector reads with what was declared.
func checkRead(t *testing.T, c *v1alpha1.ChannelConnector, creds *render.Credentials, whole *config.Config) {
	t.Helper()
	got := whole.Channels[0]
	app, http := got.Settings.(*zalo.Settings), got.Sink.Settings.(*httpsink.Settings)
	z, w, h := c.Spec.ZaloOA, c.Spec.Webhook, c.Spec.Sink.HTTP
	type read struct {
		AppID, Path, URL      string
		Accounts              []zalo.OfficialAccount
		Codes, Include        []string
		Exclude, Keys, Values []string
		Timeout               time.Duration
		MaxBodySize           int64
	}
	want := read{
		AppID: z.AppID, Path: w.Path, URL: h.URL, Codes: z.DomainVerification.Codes, Include: w.Events.Include, Exclude: w.Events.Exclude,
		Timeout: h.Timeout.Duration, MaxBodySize: w.MaxBodySize.Value()}
	missing := 0
	value := func(names ...string) {
		want.Values = append(want.Values, names...)
		if names[len(names)-1] == "" {
			missing++
		}
	}
	value(creds.Values["channels[0].zaloOA.signature.secretKeys[0]"].Text)
	have := read{
		AppID: app.AppID, Path: got.Webhook.Path, URL: http.URL, Accounts: app.OfficialAccounts,
		Codes: app.DomainVerification.Codes, Include: got.Webhook.Events.Include, Exclude: got.Webhook.Events.Exclude,
		Timeout: time.Duration(http.Timeout), MaxBodySize: int64(got.Webhook.MaxBodySize),
	}
	for _, account := range z.OfficialAccounts {
		want.Accounts = append(want.Accounts, zalo.OfficialAccount{ID: account.ID, DisplayName: account.DisplayName})
	}
	for _, key := range w.APIKeys {
		want.Keys = append(want.Keys, key.Name)
	}
	for _, key := range got.Webhook.APIKeys {
		have.Keys = append(have.Keys, key.Name)
	}
	for i, header := range h.Headers {
		value(header.Name, creds.Values[fmt.Sprintf("channels[0].sink.http.headers[%d]", i)].Text)
	}
	for _, key := range app.Signature.SecretKeys {
		have.Values = append(have.Values, key.Reveal())
	}
	for _, header := range http.Headers {
		have.Values = append(have.Values, header.Name, header.Reveal())
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("the connector reads otherwise (-want +got):\n%s", diff)
	}
	if lacks := whole.Lacks(); len(lacks) != missing {
		t.Errorf("the connector lacks what the policies take: %v", lacks)
	}
}

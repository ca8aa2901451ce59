package credentials

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// now is the time of the tests.
var now = time.Date(2026, 11, 29, 1, 2, 3, 400_000_000, time.UTC)

// inUse is what the connector has of everything.
func inUse(there secrets) *render.InUse {
	file := func(name, key string) []byte { return []byte(strings.TrimSpace(there[name][key])) }
	return &render.InUse{
		Values: map[string]string{
			"shop-zalo/oa-secret-key": oaKey, "shop-zalo/old": oldOAKey, "bot/authorization": authorization, "bot/signing": signing,
		},
		APIKeys: map[string]string{"shop-xbot/xp-api-key": digest(apiKey1), "shop-xbot/old": digest(apiKey2)},
		Files: map[string][]byte{
			"sink-url": []byte(url), "sink-ca.crt": file("bot-ca", "ca.crt"),
			"sink-client.crt": file("bot-tls", "tls.crt"), "sink-client.key": file("bot-tls", "tls.key"),
		},
	}
}

// expires is the entry of a key whose absence was seen before.
func expires(secret, key string, left time.Duration) v1alpha1.ExpiringKey {
	return v1alpha1.ExpiringKey{SecretName: secret, Key: key, AcceptedUntil: metav1.NewTime(now.Add(left).Truncate(time.Second))}
}

// TestKeep: of everything one Secret key is amiss, and the connector had all of it.
func TestKeep(t *testing.T) {
	const soon = "it is accepted until 2026-11-29T01:02:33Z"
	for name, c := range map[string]struct {
		change func(secrets) secrets
		before []v1alpha1.ExpiringKey
		// kept is whether the connector goes on using it.
		kept      bool
		meanwhile string
		want      []v1alpha1.ExpiringKey
	}{
		"API key's entry gone": {
			change: remove("shop-xbot", "old"), kept: true, meanwhile: soon, want: list(expires("shop-xbot", "old", Grace)),
		},
		"API key blank": {
			change: set("shop-xbot", "old", " \n"), kept: true, meanwhile: soon, want: list(expires("shop-xbot", "old", Grace)),
		},
		"OA key's entry gone": {
			change: remove("shop-zalo", "old"), kept: true, meanwhile: soon, want: list(expires("shop-zalo", "old", Grace)),
		},
		"API key malformed":     {change: set("shop-xbot", "old", "two words of HiddenValue"), meanwhile: "calls with it get 401"},
		"API key too short":     {change: set("shop-xbot", "old", "HiddenValue"), meanwhile: "calls with it get 401"},
		"API key twice":         {change: set("shop-xbot", "old", apiKey1), meanwhile: "calls with it get 401"},
		"OA key malformed":      {change: set("shop-zalo", "old", "two words"), meanwhile: "nothing is verified with it"},
		"OA key equals API key": {change: set("shop-zalo", "old", apiKey1), meanwhile: "nothing is verified with it"},
		"first sight counts": {
			change: remove("shop-xbot", "old"), before: list(expires("shop-xbot", "old", 5*time.Second)), kept: true,
			meanwhile: "it is accepted until 2026-11-29T01:02:08Z", want: list(expires("shop-xbot", "old", 5*time.Second)),
		},
		"a clock that was ahead": {
			change: remove("shop-xbot", "old"), before: list(expires("shop-xbot", "old", time.Hour)),
			kept: true, meanwhile: soon, want: list(expires("shop-xbot", "old", Grace)),
		},
		"grace is over": {
			change: remove("shop-xbot", "old"), before: list(expires("shop-xbot", "old", 0)),
			meanwhile: "calls with it get 401", want: list(expires("shop-xbot", "old", 0)),
		},
		"another key's absence": {
			change: remove("shop-xbot", "old"), before: list(expires("shop-xbot", "xp-api-key", 0)),
			kept: true, meanwhile: soon, want: list(expires("shop-xbot", "old", Grace)),
		},
		"header gone":         {change: remove("bot", "authorization"), meanwhile: "events are accepted and held"},
		"header malformed":    {change: set("bot", "authorization", "two\nlines"), meanwhile: "events are accepted and held"},
		"URL gone":            {change: remove("bot", "url"), meanwhile: "events are accepted and held"},
		"signing secret gone": {change: remove("bot", "signing"), meanwhile: "events are accepted and held"},
		"bundle gone":         {change: remove("bot-ca", ""), kept: true, meanwhile: "the last good one stays in use"},
		"bundle malformed":    {change: set("bot-ca", "ca.crt", "none"), kept: true, meanwhile: "the last good one stays in use"},
		"certificate gone":    {change: remove("bot-tls", "tls.crt"), kept: true, meanwhile: "the last good one stays in use"},
		"its key malformed":   {change: set("bot-tls", "tls.key", "none"), kept: true, meanwhile: "the last good one stays in use"},
	} {
		t.Run(name, func(t *testing.T) {
			there := good(t)
			all, err := resolveEverything(t, there, there, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := resolveEverything(t, c.change(there), there, c.before)
			if err != nil {
				t.Fatal(err)
			}
			if same := cmp.Equal(all.Credentials, got.Credentials); same != c.kept {
				t.Errorf("kept: %v, want %v", same, c.kept)
			}
			if diff := cmp.Diff(c.want, got.Expiring); diff != "" {
				t.Errorf("expiring (-want +got):\n%s", diff)
			}
			blocking := slices.DeleteFunc(got.Findings, func(f Finding) bool { return !f.Blocking })
			if len(blocking) != 1 || blocking[0].Meanwhile != c.meanwhile {
				t.Errorf("%+v, want meanwhile %q", blocking, c.meanwhile)
			}
			if sink := c.meanwhile == "events are accepted and held"; len(blocking) == 1 && blocking[0].Sink != sink {
				t.Errorf("the sink lacks it: %v, want %v", blocking[0].Sink, sink)
			}
		})
	}
}

func list(keys ...v1alpha1.ExpiringKey) []v1alpha1.ExpiringKey { return keys }

func remove(name, key string) func(secrets) secrets {
	return func(s secrets) secrets { return s.without(name, key) }
}

func set(name, key, value string) func(secrets) secrets {
	return func(s secrets) secrets { return s.with(name, key, value) }
}

// resolveEverything resolves everything while the connector has what was there before.
func resolveEverything(t *testing.T, there, before secrets, expiring []v1alpha1.ExpiringKey) (*Resolved, error) {
	t.Helper()
	return Resolve(t.Context(), Input{
		Connector: connectortest.New(t, everything), From: there.source(new([]string)), Expiring: expiring, Now: now,
		InUse: func(context.Context) (*render.InUse, error) { return inUse(before), nil },
	})
}

// TestKeepOfConnections: of the certificate of the webhook, and of a bundle in a ConfigMap, the last good ones stay, a
// pair together.
func TestKeepOfConnections(t *testing.T) {
	const last, plain = "the last good one stays in use", "a running connector goes on with plain HTTP, and a new one does not start"
	for name, c := range map[string]struct {
		change  func(secrets) secrets
		had     bool
		reasons []string
		message string
		mean    string
	}{
		"Secret of the pair gone, had one": {remove("shop-tls", ""), true, []string{ReasonSecretNotFound, ReasonSecretNotFound},
			`Secret "shop-tls" does not exist (spec.workload.tls.secretName): create it with the key "tls.crt", or correct the reference`, last},
		"Secret of the pair gone, had none": {remove("shop-tls", ""), false, []string{ReasonSecretNotFound, ReasonSecretNotFound},
			`Secret "shop-tls" does not exist (spec.workload.tls.secretName): create it with the key "tls.crt", or correct the reference`, plain},
		"key of another certificate": {set("shop-tls", "tls.key", "none"), true, []string{ReasonMalformed},
			`Secret "shop-tls", key "tls.key" (spec.workload.tls.secretName) is not the private key, in PEM, of the certificate in ` +
				`Secret "shop-tls", key "tls.crt" (spec.workload.tls.secretName): put a matching pair there`, last},
		"ConfigMap gone": {remove("company-ca", ""), true, []string{ReasonConfigMapNotFound},
			`ConfigMap "company-ca" does not exist (spec.sink.http.tls.caConfigMapKeyRef): create it with the key "bundle.crt",` +
				` or correct the reference`, last},
		"its key gone": {remove("company-ca", "bundle.crt"), true, []string{ReasonConfigMapKeyNotFound},
			`ConfigMap "company-ca" has no key "bundle.crt" (spec.sink.http.tls.caConfigMapKeyRef): add the key, or correct the reference`, last},
		"empty": {set("company-ca", "bundle.crt", "\n"), true, []string{ReasonConfigMapKeyEmpty},
			`ConfigMap "company-ca", key "bundle.crt" (spec.sink.http.tls.caConfigMapKeyRef) is empty: fill it in`, last},
		"no bundle": {set("company-ca", "bundle.crt", "none"), true, []string{ReasonConfigMapKeyMalformed},
			`ConfigMap "company-ca", key "bundle.crt" (spec.sink.http.tls.caConfigMapKeyRef) holds no certificate in PEM: ` +
				`write a bundle of "BEGIN CERTIFICATE" blocks`, last},
		"too large": {set("company-ca", "bundle.crt", strings.Repeat("x", 512<<10+1)), true, []string{ReasonConfigMapKeyTooLarge},
			`ConfigMap "company-ca", key "bundle.crt" (spec.sink.http.tls.caConfigMapKeyRef) is larger than 512 KiB: ` +
				`put the credential alone into it`, last},
	} {
		t.Run(name, func(t *testing.T) {
			there := good(t)
			has := &render.InUse{Files: map[string][]byte{}}
			if c.had {
				for file, from := range map[string][2]string{
					"workload-tls.crt": {"shop-tls", "tls.crt"}, "workload-tls.key": {"shop-tls", "tls.key"}, "sink-ca.crt": {"company-ca", "bundle.crt"},
				} {
					has.Files[file] = []byte(strings.TrimSpace(there[from[0]][from[1]]))
				}
			}
			connector := connectortest.New(t, keyed+","+fromMap+","+byTLS)
			got, err := Resolve(t.Context(), Input{Connector: connector, From: c.change(there).source(new([]string)), Now: now,
				InUse: func(context.Context) (*render.InUse, error) { return has, nil }})
			if err != nil {
				t.Fatal(err)
			}
			var reasons []string
			for _, f := range got.Findings {
				reasons = append(reasons, f.Reason)
			}
			if diff := cmp.Diff(c.reasons, reasons); diff != "" || got.Findings[0].Message != c.message || got.Findings[0].Meanwhile != c.mean {
				t.Errorf("%s\n%+v", diff, got.Findings)
			}
			if kept := got.Credentials.Servable(connector); kept != c.had {
				t.Errorf("a pair to serve with: %v, want %v", kept, c.had)
			}
			if _, err := render.Render(connector, got.Credentials); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOfConfigMap: a bundle may be in either part.
func TestOfConfigMap(t *testing.T) {
	got := OfConfigMap(&corev1.ConfigMap{Data: map[string]string{"a": "1"}, BinaryData: map[string][]byte{"b": {2}}})
	if diff := cmp.Diff(map[string][]byte{"a": []byte("1"), "b": {2}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestUnreadStays: what cannot be read for the moment stays in use, for however long.
func TestUnreadStays(t *testing.T) {
	there, away := good(t), errors.New("the API server is away")
	all, err := resolveEverything(t, there, there, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, unread := range []string{"shop-zalo", "shop-xbot", "bot", "bot-ca", "bot-tls"} {
		got, err := Resolve(t.Context(), Input{
			Connector: connectortest.New(t, everything), Now: now,
			From: func(ctx context.Context, object render.Object) (map[string][]byte, error) {
				if object.Name == unread {
					return nil, away
				}
				return there.source(new([]string))(ctx, object)
			},
			InUse: func(context.Context) (*render.InUse, error) { return inUse(there), nil },
		})
		if err != nil || !errors.Is(got.Unread, away) || len(got.Findings)+len(got.Expiring) > 0 {
			t.Errorf("%s: %v, %+v", unread, err, got)
		}
		if diff := cmp.Diff(all.Credentials, got.Credentials); diff != "" {
			t.Errorf("%s (-before +unread):\n%s", unread, diff)
		}
	}
}

// TestMoved: a key that moved to another Secret key is accepted by that one, and the connector takes the configuration,
// which has no key twice.
func TestMoved(t *testing.T) {
	there := good(t)
	got, err := resolveEverything(t, there.with("shop-xbot", "xp-api-key", apiKey2).without("shop-xbot", "old"), there, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := values{apiKeys + "[0]": {SHA256: digest(apiKey2), Source: "shop-xbot/xp-api-key"}, apiKeys + "[1]": {Source: "shop-xbot/old"}}
	for field, value := range want {
		if diff := cmp.Diff(value, got.Credentials.Values[field]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
	if _, err := render.Render(connectortest.New(t, everything), got.Credentials); err != nil {
		t.Error(err)
	}
}

// TestTurned: a key in its grace whose value becomes one of the other use goes out of use at once. The connector, which
// refuses an OA secret key that is an API key, takes the configuration.
func TestTurned(t *testing.T) {
	there := good(t)
	for name, c := range map[string]struct {
		now       secrets
		meanwhile string
		want      values
	}{
		"an OA secret key": {
			there.without("shop-zalo", "old").with("shop-xbot", "old", oldOAKey), "nothing is verified with it",
			values{oaKeys + "[1]": {Source: "shop-zalo/old"}, apiKeys + "[1]": {SHA256: digest(oldOAKey), Source: "shop-xbot/old"}},
		},
		"an API key": {
			there.without("shop-xbot", "old").with("shop-zalo", "old", apiKey2), "calls with it get 401",
			values{oaKeys + "[1]": {Text: apiKey2, Source: "shop-zalo/old"}, apiKeys + "[1]": {Source: "shop-xbot/old"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolveEverything(t, c.now, there, nil)
			if err != nil {
				t.Fatal(err)
			}
			for field, value := range c.want {
				if diff := cmp.Diff(value, got.Credentials.Values[field]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", field, diff)
				}
			}
			if len(got.Expiring) > 0 || got.Findings[0].Meanwhile != c.meanwhile {
				t.Errorf("%+v, expiring %v; want meanwhile %q", got.Findings, got.Expiring, c.meanwhile)
			}
			if _, err := render.Render(connectortest.New(t, everything), got.Credentials); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUnreadCountsOn: an API server that is away for a moment does not restart the grace of an absent key.
func TestUnreadCountsOn(t *testing.T) {
	there, noted := good(t), expires("shop-xbot", "old", 5*time.Second)
	got, err := Resolve(t.Context(), Input{
		Connector: connectortest.New(t, everything), Now: now, Expiring: list(noted),
		From: func(ctx context.Context, object render.Object) (map[string][]byte, error) {
			if object.Name == "shop-xbot" {
				return nil, errors.New("the API server is away")
			}
			return there.source(new([]string))(ctx, object)
		},
		InUse: func(context.Context) (*render.InUse, error) { return inUse(there), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list(noted), got.Expiring); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAwaiting: a channel is being set up while every OA secret key is yet to come.
func TestAwaiting(t *testing.T) {
	for name, c := range map[string]struct {
		change func(secrets) secrets
		want   bool
	}{
		"no Secret":     {remove("shop-zalo", ""), true},
		"neither entry": {func(s secrets) secrets { return s.without("shop-zalo", "old").without("shop-zalo", "oa-secret-key") }, true},
		"one of two":    {remove("shop-zalo", "old"), false},
		"one bad, one blank": {func(s secrets) secrets {
			return s.with("shop-zalo", "old", "").with("shop-zalo", "oa-secret-key", "a b")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(t.Context(), Input{Connector: connectortest.New(t, everything), From: c.change(good(t)).source(new([]string))})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range got.Findings {
				if f.Passing != c.want || (f.Reason == "AwaitingOASecretKey") != c.want {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestASecretOfTheInboxIsKept: the pods that run have it, and new ones could not open the inbox without it.
func TestASecretOfTheInboxIsKept(t *testing.T) {
	reference := render.Reference{Path: "spec.inbox.stream.passwordSecretKeyRef", Use: render.Credential, File: "inbox-password"}
	m := material{Reference: reference, state: gone}
	m.keep(&render.InUse{Files: map[string][]byte{"inbox-password": []byte("the last one")}})
	if m.Value != "the last one" || m.meanwhile() != "the last good one stays in use" {
		t.Errorf("%q is in use, and meanwhile %s", m.Value, m.meanwhile())
	}
}

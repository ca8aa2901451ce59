package credentials

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hidden is in every secret value of the tests, and must be in no message.
const hidden = "HiddenValue"

// The values of good, without a finding.
const (
	oaKey, oldOAKey   = hidden + "-oa-key", hidden + "-old-oa-key"
	apiKey1, apiKey2  = hidden + "-api-key-of-32-characters", hidden + "-old-api-key-of-32-characters"
	authorization     = "Bearer " + hidden
	url               = "https://bot.example/" + hidden
	signing           = "whsec_" + "SGlkZGVuVmFsdWUtSGlkZGVuVmFsdWUtSGlkZGVu"
	keyed, everything = `webhook: {apiKeys: [{name: first, secretKeyRef: {name: shop-xbot, key: xp-api-key}}]}`, `
zaloOA: {signature: {secretKeyRefs: [{name: shop-zalo, key: oa-secret-key}, {name: shop-zalo, key: old}]}},
webhook: {apiKeys: [{name: new, secretKeyRef: {name: shop-xbot, key: xp-api-key}}, {name: old, secretKeyRef: {name: shop-xbot, key: old}}]},
sink: {http: {
  url: null, urlSecretKeyRef: {name: bot, key: url},
  headers: [{name: Authorization, secretKeyRef: {name: bot, key: authorization}}],
  signingSecretKeyRef: {name: bot, key: signing},
  tls: {caSecretKeyRef: {name: bot-ca, key: ca.crt}, clientCertificateSecretRef: {name: bot-tls}}}}`
	fromMap = `sink: {http: {url: "https://bot.example", tls: {caConfigMapKeyRef: {name: company-ca, key: bundle.crt}}}}`
	byTLS   = `workload: {tls: {secretName: shop-tls}}`
)

// The keys as the connector gets them.
var (
	theOA, theOldOA     = render.Value{Text: oaKey, Source: "shop-zalo/oa-secret-key"}, render.Value{Text: oldOAKey, Source: "shop-zalo/old"}
	firstKey, secondKey = render.Value{SHA256: digest(apiKey1), Source: "shop-xbot/xp-api-key"},
		render.Value{SHA256: digest(apiKey2), Source: "shop-xbot/old"}
)

// The fields of the connector's file.
const (
	oaKeys, accounts   = "channels[0].zaloOA.signature.secretKeys", "channels[0].zaloOA.officialAccounts"
	apiKeys, sinkField = "channels[0].webhook.apiKeys", "channels[0].sink.http."
)

// secrets are the data of Secrets by name.
type secrets map[string]map[string]string

// good has every Secret that everything names.
func good(tb testing.TB) secrets {
	cert, key := certificate.New(tb, 1)
	return secrets{
		"shop-zalo":    {"oa-secret-key": oaKey, "old": oldOAKey},
		"shop-xbot":    {"xp-api-key": apiKey1, "old": apiKey2},
		"shop-api-key": {"xp-api-key": apiKey1},
		"bot":          {"authorization": authorization, "url": url, "signing": signing},
		"bot-ca":       {"ca.crt": cert},
		"bot-tls":      {"tls.crt": cert, "tls.key": key},
		"shop-tls":     {"tls.crt": cert, "tls.key": key},
		"company-ca":   {"bundle.crt": cert}, // the only ConfigMap
	}
}

// with returns the Secrets with another value in one of them.
func (s secrets) with(name, key, value string) secrets {
	changed := maps.Clone(s)
	changed[name] = maps.Clone(s[name])
	changed[name][key] = value
	return changed
}

// without returns the Secrets without a key, or without a whole Secret where no key is named.
func (s secrets) without(name, key string) secrets {
	changed := maps.Clone(s)
	if key == "" {
		delete(changed, name)
		return changed
	}
	changed[name] = maps.Clone(s[name])
	delete(changed[name], key)
	return changed
}

// source hands them out, and notes in reads which were asked for.
func (s secrets) source(reads *[]string) Source {
	return func(_ context.Context, object render.Object) (map[string][]byte, error) {
		*reads = append(*reads, object.Name)
		data, ok := s[object.Name]
		if isMap := object.Name == "company-ca"; !ok || isMap != (object.Kind == render.KindConfigMap) {
			return nil, apierrors.NewNotFound(corev1.Resource(string(object.Kind)), object.Name)
		}
		values := map[string][]byte{}
		for key, value := range data {
			values[key] = []byte(value)
		}
		return values, nil
	}
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// values are by the fields of the connector's file.
type values = map[string]render.Value

func TestResolve(t *testing.T) {
	there := good(t)
	ca, cert, key := there["bot-ca"]["ca.crt"], there["bot-tls"]["tls.crt"], there["bot-tls"]["tls.key"]
	trim := strings.TrimSpace
	for name, c := range map[string]struct {
		patch string
		there secrets
		want  values
		reads []string
	}{
		"a generated API key": {
			want:  values{oaKeys + "[0]": theOA, apiKeys + "[0]": {SHA256: digest(apiKey1), Source: "shop-api-key/xp-api-key"}},
			reads: []string{"shop-zalo", "shop-api-key"},
		},
		"an API key of the user's": {
			patch: keyed,
			want:  values{oaKeys + "[0]": theOA, apiKeys + "[0]": firstKey},
			reads: []string{"shop-zalo", "shop-xbot"},
		},
		"everything, each Secret read once": {
			patch: everything,
			want: values{
				oaKeys + "[0]": theOA, oaKeys + "[1]": theOldOA,
				apiKeys + "[0]": firstKey, apiKeys + "[1]": secondKey,
				sinkField + "headers[0]":    {Text: authorization, Source: "bot/authorization"},
				sinkField + "urlFile":       {Text: url, Source: "bot/url"},
				sinkField + "signingSecret": {Text: signing, Source: "bot/signing"},
				sinkField + "tls.caFile":    {Text: trim(ca), Source: "bot-ca/ca.crt"},
				sinkField + "tls.certFile":  {Text: trim(cert), Source: "bot-tls/tls.crt"},
				sinkField + "tls.keyFile":   {Text: trim(key), Source: "bot-tls/tls.key"},
			},
			reads: []string{"shop-zalo", "shop-xbot", "bot", "bot-ca", "bot-tls"},
		},
		"signatures that nobody looks at": {
			patch: `zaloOA: {signature: {mode: "Off"}, officialAccounts: [{id: "1", secretKeyRefs: [{name: shop-zalo, key: old}]}]},` + keyed,
			there: there.without("shop-zalo", ""),
			want:  values{apiKeys + "[0]": firstKey},
			reads: []string{"shop-xbot"},
		},
		"signatures that are only counted": {
			patch: `zaloOA: {signature: {mode: Audit}},` + keyed,
			want:  values{oaKeys + "[0]": theOA, apiKeys + "[0]": firstKey},
			reads: []string{"shop-zalo", "shop-xbot"},
		},
		"keys of single OAs": {
			patch: `zaloOA: {signature: {secretKeyRefs: null}, officialAccounts: [
			  {id: "1", secretKeyRefs: [{name: shop-zalo, key: oa-secret-key}, {name: shop-zalo, key: old}]}, {id: "2"},
			  {id: "3", secretKeyRefs: [{name: shop-zalo, key: old}]}]},` + keyed,
			want: values{
				accounts + "[0].secretKeys[0]": theOA, accounts + "[0].secretKeys[1]": theOldOA, accounts + "[2].secretKeys[0]": theOldOA,
				apiKeys + "[0]": firstKey,
			},
			reads: []string{"shop-zalo", "shop-xbot"},
		},
		"an unrelated key of 1 MiB": {
			patch: keyed,
			there: there.with("shop-zalo", "other", strings.Repeat("x", 1<<20)),
			want:  values{oaKeys + "[0]": theOA, apiKeys + "[0]": firstKey},
			reads: []string{"shop-zalo", "shop-xbot"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.there == nil {
				c.there = there
			}
			var reads []string
			got, err := Resolve(t.Context(),
				Input{Connector: connectortest.New(t, c.patch), Generated: "shop-api-key", From: c.there.source(&reads)})
			if err != nil || got.Unread != nil || len(got.Findings) > 0 {
				t.Errorf("%v, %v, %v", got.Findings, got.Unread, err)
			}
			if diff := cmp.Diff(&render.Credentials{Values: c.want}, got.Credentials); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.reads, reads); diff != "" {
				t.Errorf("Secrets read (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnread: while the API server cannot say, no Secret counts as missing, and what is read tells what is wrong with
// it.
func TestUnread(t *testing.T) {
	away := errors.New("the API server is away")
	from := func(_ context.Context, object render.Object) (map[string][]byte, error) {
		if object.Name == "shop-xbot" {
			return nil, away
		}
		return nil, apierrors.NewNotFound(corev1.Resource("secrets"), object.Name)
	}
	got, err := Resolve(t.Context(), Input{Connector: connectortest.New(t, keyed), From: from})
	if err != nil || got.Credentials != nil || !errors.Is(got.Unread, away) || len(got.Findings) != 1 {
		t.Fatalf("%v, %+v", err, got)
	}
	if want := `read Secret "shop-xbot": the API server is away`; got.Unread.Error() != want {
		t.Errorf("got %s, want %s", got.Unread, want)
	}
}

func TestNamed(t *testing.T) {
	for name, c := range map[string]struct {
		patch string
		want  []string
	}{
		"without the generated one": {patch: ``, want: []string{`Secret "shop-zalo"`}},
		"each once, sorted": {patch: everything, want: []string{
			`Secret "bot"`, `Secret "bot-ca"`, `Secret "bot-tls"`, `Secret "shop-xbot"`, `Secret "shop-zalo"`,
		}},
		"the webhook's, and a ConfigMap": {patch: keyed + "," + fromMap + "," + byTLS, want: []string{
			`ConfigMap "company-ca"`, `Secret "shop-tls"`, `Secret "shop-xbot"`, `Secret "shop-zalo"`,
		}},
		"none that is not looked at": {
			patch: `zaloOA: {signature: {mode: "Off"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			objects, _ := Named(connectortest.New(t, c.patch))
			for _, object := range objects {
				got = append(got, object.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

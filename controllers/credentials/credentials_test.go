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
)

// The OA secret keys as the connector gets them.
var theOA, theOldOA = Credential{oaKey, "shop-zalo/oa-secret-key"}, Credential{oldOAKey, "shop-zalo/old"}

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
	}
}

// with returns the Secrets with another value in one of them.
func (s secrets) with(name, key, value string) secrets {
	changed := maps.Clone(s)
	changed[name] = maps.Clone(s[name])
	changed[name][key] = value
	return changed
}

// without returns the Secrets without a key, or without a whole Secret where no
// key is named.
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
	return func(_ context.Context, name string) (*corev1.Secret, error) {
		*reads = append(*reads, name)
		data, ok := s[name]
		if !ok {
			return &corev1.Secret{}, apierrors.NewNotFound(corev1.Resource("secrets"), name)
		}
		secret := &corev1.Secret{Data: map[string][]byte{}}
		for key, value := range data {
			secret.Data[key] = []byte(value)
		}
		return secret, nil
	}
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

func TestResolve(t *testing.T) {
	there := good(t)
	ca, cert, key := there["bot-ca"]["ca.crt"], there["bot-tls"]["tls.crt"], there["bot-tls"]["tls.key"]
	trim := strings.TrimSpace
	for name, c := range map[string]struct {
		patch string
		there secrets
		want  *Credentials
		reads []string
	}{
		"a generated API key": {
			want:  &Credentials{OASecretKeys: []Credential{theOA}, APIKeys: []APIKey{{"generated", "shop-api-key/xp-api-key", digest(apiKey1)}}},
			reads: []string{"shop-zalo", "shop-api-key"},
		},
		"an API key of the user's": {
			patch: keyed,
			want:  &Credentials{OASecretKeys: []Credential{theOA}, APIKeys: []APIKey{{"first", "shop-xbot/xp-api-key", digest(apiKey1)}}},
			reads: []string{"shop-zalo", "shop-xbot"},
		},
		"everything, each Secret read once": {
			patch: everything,
			want: &Credentials{
				OASecretKeys:  []Credential{theOA, theOldOA},
				APIKeys:       []APIKey{{"new", "shop-xbot/xp-api-key", digest(apiKey1)}, {"old", "shop-xbot/old", digest(apiKey2)}},
				Headers:       []Header{{"Authorization", Credential{authorization, "bot/authorization"}}},
				SinkURL:       url,
				SigningSecret: Credential{signing, "bot/signing"},
				SinkCA:        []byte(trim(ca)), SinkClientCert: []byte(trim(cert)), SinkClientKey: []byte(trim(key)),
			},
			reads: []string{"shop-zalo", "shop-xbot", "bot", "bot-ca", "bot-tls"},
		},
		"signatures that nobody looks at": {
			patch: `zaloOA: {signature: {mode: "Off"}},` + keyed,
			there: there.without("shop-zalo", ""),
			want:  &Credentials{APIKeys: []APIKey{{"first", "shop-xbot/xp-api-key", digest(apiKey1)}}},
			reads: []string{"shop-xbot"},
		},
		"signatures that are only counted": {
			patch: `zaloOA: {signature: {mode: Audit}},` + keyed,
			want:  &Credentials{OASecretKeys: []Credential{theOA}, APIKeys: []APIKey{{"first", "shop-xbot/xp-api-key", digest(apiKey1)}}},
			reads: []string{"shop-zalo", "shop-xbot"},
		},
		"keys of single OAs": {
			patch: `zaloOA: {signature: {secretKeyRefs: null}, officialAccounts: [
			  {id: "1", secretKeyRefs: [{name: shop-zalo, key: oa-secret-key}, {name: shop-zalo, key: old}]}, {id: "2"},
			  {id: "3", secretKeyRefs: [{name: shop-zalo, key: old}]}]},` + keyed,
			want: &Credentials{
				AccountKeys: map[string][]Credential{"1": {theOA, theOldOA}, "3": {theOldOA}},
				APIKeys:     []APIKey{{"first", "shop-xbot/xp-api-key", digest(apiKey1)}},
			},
			reads: []string{"shop-zalo", "shop-xbot"},
		},
		"an unrelated key of 1 MiB": {
			patch: keyed,
			there: there.with("shop-zalo", "other", strings.Repeat("x", 1<<20)),
			want:  &Credentials{OASecretKeys: []Credential{theOA}, APIKeys: []APIKey{{"first", "shop-xbot/xp-api-key", digest(apiKey1)}}},
			reads: []string{"shop-zalo", "shop-xbot"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.there == nil {
				c.there = there
			}
			var reads []string
			got, err := Resolve(t.Context(), Input{Connector: connectortest.New(t, c.patch), Generated: "shop-api-key", From: c.there.source(&reads)})
			if err != nil || got.Unread != nil || len(got.Findings) > 0 {
				t.Errorf("%v, %v, %v", got.Findings, got.Unread, err)
			}
			if diff := cmp.Diff(c.want, got.Credentials); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.reads, reads); diff != "" {
				t.Errorf("Secrets read (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnread: while the API server cannot say, no Secret counts as missing, and what is
// read tells what is wrong with it.
func TestUnread(t *testing.T) {
	away := errors.New("the API server is away")
	from := func(_ context.Context, name string) (*corev1.Secret, error) {
		if name == "shop-xbot" {
			return nil, away
		}
		return nil, apierrors.NewNotFound(corev1.Resource("secrets"), name)
	}
	got, err := Resolve(t.Context(), Input{Connector: connectortest.New(t, keyed), From: from})
	if err != nil || got.Credentials != nil || !errors.Is(got.Unread, away) || len(got.Findings) != 1 {
		t.Fatalf("%v, %+v", err, got)
	}
	if want := `read Secret "shop-xbot": the API server is away`; got.Unread.Error() != want {
		t.Errorf("got %s, want %s", got.Unread, want)
	}
}

func TestSecretNames(t *testing.T) {
	for name, c := range map[string]struct {
		patch string
		want  []string
	}{
		"without the generated one": {patch: ``, want: []string{"shop-zalo"}},
		"each once, sorted":         {patch: everything, want: []string{"bot", "bot-ca", "bot-tls", "shop-xbot", "shop-zalo"}},
		"none that is not looked at": {
			patch: `zaloOA: {signature: {mode: "Off"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, SecretNames(connectortest.New(t, c.patch))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

package render_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/golden"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hidden is in every secret value of the tests.
const hidden = "HiddenValue"

// secrets are Secrets by name. Those of certificates are made for each test.
func secrets(tb testing.TB) map[string]*corev1.Secret {
	tb.Helper()
	all := map[string]*corev1.Secret{
		"shop-api-key": {Data: map[string][]byte{"xp-api-key": []byte(hidden + "-generated-api-key")}},
		"shop-zalo": {Data: map[string][]byte{
			"oa-secret-key": []byte(hidden + "-oa-key"), "oa-secret-key-old": []byte(hidden + "-old-oa-key"),
		}},
		"shop-xbot": {Data: map[string][]byte{
			"xp-api-key": []byte(hidden + "-api-key\n"), "xp-api-key-old": []byte(hidden + "-old-api-key"),
		}},
		"bot": {Data: map[string][]byte{
			"authorization": []byte("Bearer " + hidden), "tenant": []byte("true"),
			"url": []byte("https://bot.example/" + hidden), "url-new": []byte("https://bot.example/" + hidden + "-new"),
			"signing": []byte("whsec_SGlkZGVuVmFsdWUtSGlkZGVuVmFsdWUtSGlkZGVu"), "signing-new": []byte("SGlkZGVuVmFsdWUtSGlkZGVuVmFsdWUtbmV3"),
		}},
	}
	cert, key := certificate.New(tb, 3)
	all["shop-tls"] = &corev1.Secret{Data: map[string][]byte{"tls.crt": []byte(cert), "tls.key": []byte(key)}}
	for i, suffix := range []string{"", "-new"} {
		cert, key := certificate.New(tb, int64(i+1))
		all["bot-ca"+suffix] = &corev1.Secret{Data: map[string][]byte{"ca.crt": []byte(cert)}}
		all["company-ca"+suffix] = &corev1.Secret{Data: map[string][]byte{"new": []byte(cert), "old": []byte(cert)}}
		all["bot-client-tls"+suffix] = &corev1.Secret{Data: map[string][]byte{"tls.crt": []byte(cert), "tls.key": []byte(key)}}
	}
	return all
}

// sourceOf hands Secrets out.
func sourceOf(from map[string]*corev1.Secret) credentials.Source {
	return func(_ context.Context, object render.Object) (map[string][]byte, error) {
		if from[object.Name] == nil {
			return nil, errors.New("no such object in the test")
		}
		return from[object.Name].Data, nil
	}
}

// resolved are the credentials of a resource.
func resolved(tb testing.TB, c *v1alpha1.ChannelConnector, from map[string]*corev1.Secret) *render.Credentials {
	tb.Helper()
	got := judged(tb, c, from)
	for _, f := range got.Findings {
		if f.Blocking {
			tb.Fatal(f.Message)
		}
	}
	return got.Credentials
}

// judged are the credentials with what is wrong with them.
func judged(tb testing.TB, c *v1alpha1.ChannelConnector, from map[string]*corev1.Secret) *credentials.Resolved {
	tb.Helper()
	got, err := credentials.Resolve(tb.Context(), credentials.Input{Connector: c, Generated: "shop-api-key", From: sourceOf(from)})
	if err != nil || got.Unread != nil {
		tb.Fatal(err, got.Unread)
	}
	return got
}

// rendered is the configuration of a resource.
func rendered(tb testing.TB, c *v1alpha1.ChannelConnector, from map[string]*corev1.Secret) *render.Config {
	tb.Helper()
	got, err := render.Render(c, resolved(tb, c, from))
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// loaded reads a configuration as the connector does.
func loaded(tb testing.TB, got *render.Config) *config.Config {
	tb.Helper()
	c, err := render.Load(got.Files)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestGolden shows the configuration of three resources in full.
func TestGolden(t *testing.T) {
	for name, c := range map[string]*v1alpha1.ChannelConnector{
		"minimal":   connectortest.New(t),
		"ephemeral": connectortest.New(t, connectortest.EphemeralStorage),
		"full":      connectortest.Full(t),
	} {
		got := rendered(t, c, secrets(t))
		golden.Check(t, filepath.Join("testdata", name+".yaml"), got.Files[render.FileName])
		loaded(t, got)
	}
}

// TestFiles: the files that the configuration names are beside it, and no others.
func TestFiles(t *testing.T) {
	from := secrets(t)
	if got := rendered(t, connectortest.New(t), from); len(got.Files) != 1 {
		t.Errorf("a small configuration has %d files", len(got.Files))
	}
	got := rendered(t, connectortest.Full(t), from)
	for name, want := range map[string][]byte{
		"sink-ca.crt":          from["bot-ca"].Data["ca.crt"],
		"sink-client.crt":      from["bot-client-tls"].Data["tls.crt"],
		"sink-client.key":      from["bot-client-tls"].Data["tls.key"],
		render.FileCertificate: from["shop-tls"].Data["tls.crt"],
		"workload-tls.key":     from["shop-tls"].Data["tls.key"],
	} {
		if !bytes.Equal(got.Files[name], bytes.TrimSpace(want)) {
			t.Errorf("%s is\n%s\nwant\n%s", name, got.Files[name], want)
		}
	}
	if len(got.Files) != 6 {
		t.Errorf("a full configuration has %d files", len(got.Files))
	}
	for _, name := range loaded(t, got).Files() {
		if filepath.Dir(name) != render.Directory {
			t.Errorf("the configuration names %s", name)
		}
	}
}

// TestServable: a connector without the pair of its server could not start, and every other one can.
func TestServable(t *testing.T) {
	for name, c := range map[string]struct {
		values map[string]render.Value
		want   bool
	}{
		"the pair":       {map[string]render.Value{"server.tls.certFile": {Text: "a"}, "server.tls.keyFile": {Text: "b"}}, true},
		"without key":    {map[string]render.Value{"server.tls.certFile": {Text: "a"}}, false},
		"nothing at all": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			creds := &render.Credentials{Values: c.values}
			if got := creds.Servable(connectortest.New(t, `workload: {tls: {secretName: shop-tls}}`)); got != c.want {
				t.Errorf("servable: %v", got)
			}
			if !creds.Servable(connectortest.New(t)) {
				t.Error("plain HTTP needs no pair")
			}
		})
	}
}

// TestAPIKeysAreDigests: a reader of the configuration cannot call the webhook.
func TestAPIKeysAreDigests(t *testing.T) {
	from := secrets(t)
	for _, c := range []*v1alpha1.ChannelConnector{connectortest.New(t), connectortest.Full(t)} {
		got := rendered(t, c, from)
		keys := resolved(t, c, from).Values
		for i, key := range loaded(t, got).Channels[0].Webhook.APIKeys {
			want := keys[fmt.Sprintf("channels[0].webhook.apiKeys[%d]", i)]
			if digest := key.Digest(); hex.EncodeToString(digest[:]) != want.SHA256 || key.Reveal() != "" {
				t.Errorf("key %q is not its digest", key.Name)
			}
		}
		for name, content := range got.Files {
			for _, secret := range []string{"shop-xbot", "shop-api-key"} {
				for key, value := range from[secret].Data {
					if bytes.Contains(content, bytes.TrimSpace(value)) {
						t.Errorf("%s holds key %q of Secret %q", name, key, secret)
					}
				}
			}
		}
	}
	sum := sha256.Sum256([]byte(hidden + "-api-key"))
	if got := rendered(t, connectortest.Full(t), from).Files[render.FileName]; !bytes.Contains(got, []byte(hex.EncodeToString(sum[:]))) {
		t.Errorf("the digest of the trimmed key is not in\n%s", got)
	}
}

// TestDefaults: what the operator fills in is what the connector does by itself, so that a channel behaves the same in
// either, and the size is the schema's.
func TestDefaults(t *testing.T) {
	got := rendered(t, connectortest.New(t), secrets(t))
	file := string(got.Files[render.FileName])
	bare := regexp.MustCompile(`(?m)^ *(maxSize|deduplicationWindow|path: /webhook).*\n`).ReplaceAllString(file, "")
	if strings.Count(file, "\n")-strings.Count(bare, "\n") != 3 {
		t.Fatalf("a default is not filled in:\n%s", file)
	}
	want := loaded(t, &render.Config{Files: map[string][]byte{render.FileName: []byte(bare)}})
	whole := loaded(t, got)
	if diff := cmp.Diff(want.Inbox, whole.Inbox); diff != "" {
		t.Errorf("inbox (-connector +operator):\n%s", diff)
	}
	if connector, operator := want.Channels[0].Webhook.Path, whole.Channels[0].Webhook.Path; connector != operator {
		t.Errorf("the operator has the path %s, the connector %s", operator, connector)
	}
}

// TestDigests: a digest depends on the content alone, and on all of it.
func TestDigests(t *testing.T) {
	from := secrets(t)
	first, second := rendered(t, connectortest.Full(t), from), rendered(t, connectortest.Full(t), from)
	if first.Digest != second.Digest || first.StartDigest != second.StartDigest {
		t.Errorf("%s, %s are %s, %s the second time", first.Digest, first.StartDigest, second.Digest, second.StartDigest)
	}
	for _, digest := range []string{first.Digest, first.StartDigest} {
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(digest) {
			t.Errorf("%q is no digest", digest)
		}
	}
	for name, content := range first.Files {
		changed := &render.Config{Files: maps.Clone(first.Files)}
		changed.Files[name] = append(bytes.Clone(content), '\n')
		if onDisk(t, changed) == first.Digest {
			t.Errorf("a changed %s does not change the digest", name)
		}
	}
}

// TestOneDigest: what the operator writes beside the files is what a connector that has read them from its disk exports
// and shows.
func TestOneDigest(t *testing.T) {
	full, from := connectortest.Full(t), secrets(t)
	gone := connectortest.New(t, base, `sink: {http: {url: null, urlSecretKeyRef: {name: bot, key: url}}}`)
	lacking := resolved(t, gone, from)
	lacking.ReportToken = "HiddenValue-token"
	for _, file := range []string{"urlFile", "tls.caFile", "tls.keyFile"} {
		delete(lacking.Values, "channels[0].sink.http."+file)
	}
	for name, c := range map[string]struct {
		connector *v1alpha1.ChannelConnector
		creds     *render.Credentials
	}{
		"minimal":             {connectortest.New(t), resolved(t, connectortest.New(t), from)},
		"full":                {full, resolved(t, full, from)},
		"files that are gone": {gone, lacking},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := render.Render(c.connector, c.creds)
			if err != nil {
				t.Fatal(err)
			}
			if disk := onDisk(t, got); disk != got.Digest {
				t.Errorf("the operator says %s, the connector %s", got.Digest, disk)
			}
		})
	}
}

// onDisk is the digest of a connector that has loaded the files.
func onDisk(t *testing.T, c *render.Config) string {
	t.Helper()
	folder := t.TempDir()
	put(t, folder, c)
	loaded, err := config.Load(filepath.Join(folder, render.FileName), types.Config())
	if err != nil {
		t.Fatal(err)
	}
	return loaded.Digest()
}

// TestStartDigestIsStable: a new version of the operator that changes these for a resource that did not change restarts
// its connector.
func TestStartDigestIsStable(t *testing.T) {
	for name, c := range map[string]struct {
		connector *v1alpha1.ChannelConnector
		want      string
	}{
		"minimal":   {connectortest.New(t), "5b1079ea7da2e0bb"},
		"ephemeral": {connectortest.New(t, connectortest.EphemeralStorage), "aa2b1895dedd33d9"},
		"full":      {connectortest.Full(t), "11cec9c2e91f2658"},
	} {
		if got := rendered(t, c.connector, secrets(t)).StartDigest; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestRenderRefuses: what the connector would refuse is not written, and the error holds no secret.
func TestRenderRefuses(t *testing.T) {
	good := resolved(t, connectortest.Full(t), secrets(t))
	for name, c := range map[string]struct {
		change func(*v1alpha1.ChannelConnector, *render.Credentials)
		want   string
	}{
		"an API key that is no digest": {
			func(_ *v1alpha1.ChannelConnector, creds *render.Credentials) {
				creds.Values["channels[0].webhook.apiKeys[0]"] = render.Value{SHA256: hidden}
			},
			"channels[0].webhook.apiKeys[0].sha256: want the SHA-256 of the key as 64 hex digits",
		},
		"no app": {
			func(c *v1alpha1.ChannelConnector, _ *render.Credentials) { c.Spec.ZaloOA = nil },
			"channels[0].zaloOA: required for type ZaloOA",
		},
		"no sink": {
			func(c *v1alpha1.ChannelConnector, _ *render.Credentials) { c.Spec.Sink.HTTP = nil },
			"channels[0].sink.http: required for type HTTP",
		},
		"a bad path": {
			func(c *v1alpha1.ChannelConnector, _ *render.Credentials) { c.Spec.Webhook.Path = "/" },
			`channels[0].webhook.path: pages of the types of channels take "/"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			connector, creds := connectortest.Full(t), &render.Credentials{Values: maps.Clone(good.Values)}
			c.change(connector, creds)
			got, err := render.Render(connector, creds)
			if got != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, %v, want %s", got, err, c.want)
			}
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

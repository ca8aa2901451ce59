package render_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// base is what the changes below begin with: what they need beside themselves.
const base = `
webhook: {apiKeys: [{name: first, secretKeyRef: {name: shop-xbot, key: xp-api-key}}]},
sink: {http: {
  url: "https://bot.example/", signingSecretKeyRef: {name: bot, key: signing},
  tls: {caSecretKeyRef: {name: bot-ca, key: ca.crt}, clientCertificateSecretRef: {name: bot-client-tls}}}}`

// change is one of a resource, by the field that it changes.
type change struct{ field, patch string }

// changes has every field of the spec that can have two values.
var changes = []change{
	{"zaloOA.appID", `zaloOA: {appID: "1"}`},
	{"zaloOA.signature.mode", `zaloOA: {signature: {mode: "Off"}}`},
	{"zaloOA.signature.secretKeyRefs", `zaloOA: {signature: {secretKeyRefs: [{name: shop-zalo, key: oa-secret-key-old}]}}`},
	{"zaloOA.officialAccounts", `zaloOA: {officialAccounts: [{id: a, displayName: b}]}`},
	{"zaloOA.domainVerification.codes", `zaloOA: {domainVerification: {codes: [a]}}`},
	{"webhook.path", `webhook: {path: /zalo}`},
	{"webhook.apiKeys", `webhook: {apiKeys: [{name: second, secretKeyRef: {name: shop-xbot, key: xp-api-key-old}}]}`},
	{"webhook.apiKeys", `webhook: {apiKeys: null}`},
	{"webhook.maxEventAge", `webhook: {maxEventAge: 0s}`},
	{"webhook.maxEventAge", `webhook: {maxEventAge: 3h}`},
	{"webhook.maxBodySize", `webhook: {maxBodySize: 64Mi}`},
	{"webhook.maxBodySize", `webhook: {maxBodySize: 1}`},
	{"webhook.maxHeaderSize", `webhook: {maxHeaderSize: 64Ki}`},
	{"webhook.maxHeaderLines", `webhook: {maxHeaderLines: 10}`},
	{"webhook.maxConnections", `webhook: {maxConnections: 16}`},
	{"webhook.events.include", `webhook: {events: {include: [user_*]}}`},
	{"webhook.events.exclude", `webhook: {events: {exclude: [oa_*]}}`},
	{"inbox.deduplicationWindow", `inbox: {deduplicationWindow: 48h}`},
	{"inbox.deduplicationWindow", `inbox: {deduplicationWindow: 1440m}`}, // the default in other words
	{"inbox.embedded.storage", `inbox: {embedded: {storage: Ephemeral}}`},
	{"inbox.embedded.storage", `inbox: {embedded: {storage: Persistent}}`}, // the default, said
	{"inbox.embedded.size", `inbox: {embedded: {size: 2Gi}}`},
	{"inbox.embedded.size", `inbox: {embedded: {size: 1024Mi}}`}, // the default in other words
	{"inbox.embedded.storageClassName", `inbox: {embedded: {storageClassName: fast-ssd}}`},
	{"sink.http.url", `sink: {http: {url: "https://bot.example/events"}}`},
	{"sink.http.urlSecretKeyRef.name", `sink: {http: {url: null, urlSecretKeyRef: {name: bot, key: url}}}`},
	{"sink.http.urlSecretKeyRef.key", `sink: {http: {url: null, urlSecretKeyRef: {name: bot, key: url-new}}}`},
	{"sink.http.proxy", `sink: {http: {proxy: none}}`},
	{"sink.http.localAddresses", `sink: {http: {localAddresses: Allow}}`},
	{"sink.http.timeout", `sink: {http: {timeout: 1s}}`},
	{"sink.http.headers", `sink: {http: {headers: [{name: Authorization, secretKeyRef: {name: bot, key: authorization}}]}}`},
	{"sink.http.signingSecretKeyRef.name", `sink: {http: {signingSecretKeyRef: null}}`},
	{"sink.http.signingSecretKeyRef.key", `sink: {http: {signingSecretKeyRef: {key: signing-new}}}`},
	{"sink.http.tls.caSecretKeyRef.name", `sink: {http: {tls: {caSecretKeyRef: {name: bot-ca-new}}}}`},
	{"sink.http.tls.caSecretKeyRef.key", `sink: {http: {tls: {caSecretKeyRef: null}}}`},
	{"sink.http.tls.caConfigMapKeyRef.name", `sink: {http: {tls: {caSecretKeyRef: null, caConfigMapKeyRef: {name: company-ca, key: old}}}}`},
	{"sink.http.tls.caConfigMapKeyRef.key", `sink: {http: {tls: {caSecretKeyRef: null, caConfigMapKeyRef: {name: company-ca, key: new}}}}`},
	{"sink.http.tls.clientCertificateSecretRef.name", `sink: {http: {tls: {clientCertificateSecretRef: {name: bot-client-tls-new}}}}`},
	{"delivery.paused", `delivery: {paused: true}`},
	{"delivery.ordering", `delivery: {ordering: Unordered}`},
	{"delivery.concurrency", `delivery: {concurrency: 10000}`},
	{"delivery.retry.initialBackoff", `delivery: {retry: {initialBackoff: 2s}}`},
	{"delivery.retry.maxBackoff", `delivery: {retry: {maxBackoff: 1h}}`},
	{"delivery.retry.maxAge", `delivery: {retry: {maxAge: 1h}}`},
	{"delivery.deadLetterRetention", `delivery: {deadLetterRetention: 1h}`},
	{"workload.replicas", `workload: {replicas: 0}`},
	{"workload.resources.requests", `workload: {resources: {requests: {cpu: 1}}}`},
	{"workload.resources.limits", `workload: {resources: {limits: {memory: 1Gi}}}`},
	{"workload.nodeSelector", `workload: {nodeSelector: {a: b}}`},
	{"workload.tolerations", `workload: {tolerations: [{key: a, operator: Exists}]}`},
	{"workload.affinity", `workload: {affinity: {podAffinity: {}}}`},
	{
		"workload.topologySpreadConstraints",
		`workload: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]}`,
	},
	{"workload.podLabels", `workload: {podLabels: {a: b}}`},
	{"workload.podAnnotations", `workload: {podAnnotations: {a: b}}`},
	{"workload.serviceAccountName", `workload: {serviceAccountName: shop}`},
	{"workload.imagePullSecrets", `workload: {imagePullSecrets: [{name: registry}]}`},
	{"workload.priorityClassName", `workload: {priorityClassName: high}`},
	{"workload.terminationGracePeriodSeconds", `workload: {terminationGracePeriodSeconds: 60}`},
	{"workload.networkPolicy.webhookFrom", `workload: {networkPolicy: {webhookFrom: [{podSelector: {}}]}}`},
	{"workload.networkPolicy.metricsFrom", `workload: {networkPolicy: {metricsFrom: [{podSelector: {}}]}}`},
	{"workload.networkPolicy.egress", `workload: {networkPolicy: {egress: [{}]}}`},
	{"workload.logLevel", `workload: {logLevel: debug}`},
	{"workload.tls.secretName", `workload: {tls: {secretName: bot-client-tls}}`},
	{"workload.env", `workload: {env: [{name: NO_PROXY, value: .svc}]}`},
	{"workload.serviceAccountToken", `workload: {serviceAccountToken: Mount}`},
	{"workload.userIDs", `workload: {userIDs: Cluster}`},
}

// constants are the fields with one value only.
var constants = map[string]bool{"type": true, "inbox.type": true, "sink.type": true}

// TestStartDigest makes every change under a connector's own watch: a connector must be restarted when, and only when,
// it refuses to take the change running.
func TestStartDigest(t *testing.T) {
	from := secrets(t)
	before := rendered(t, connectortest.New(t, base), from)
	for _, c := range changes {
		t.Run(c.patch, func(t *testing.T) {
			t.Parallel()
			after := rendered(t, connectortest.New(t, base, c.patch), from)
			refused := refuses(t, before, after)
			if restarts := before.StartDigest != after.StartDigest; restarts != (refused != nil) {
				t.Errorf("restarted: %v, but the connector said %v", restarts, refused)
			}
		})
	}
}

// TestRotation: every credential reaches a running connector.
func TestRotation(t *testing.T) {
	before := secrets(t)
	after := maps.Clone(secrets(t)) // with certificates of their own
	for name, values := range map[string]map[string][]byte{
		"shop-zalo": {"oa-secret-key": []byte(hidden + "-new-oa-key"), "oa-secret-key-old": []byte(hidden + "-oa-key")},
		"shop-xbot": {"xp-api-key": []byte(hidden + "-new-api-key"), "xp-api-key-old": []byte(hidden + "-api-key")},
		"bot": {
			"authorization": []byte("Bearer " + hidden + "-new"), "tenant": []byte("1"), "signing": before["bot"].Data["signing-new"],
		},
	} {
		after[name].Data = values
	}
	old, next := rendered(t, connectortest.Full(t), before), rendered(t, connectortest.Full(t), after)
	for name := range old.Files {
		if string(old.Files[name]) == string(next.Files[name]) {
			t.Errorf("%s did not change", name)
		}
	}
	if old.StartDigest != next.StartDigest {
		t.Error("the connector is restarted")
	}
	if old.Digest == next.Digest {
		t.Error("the digest did not change")
	}
	if err := refuses(t, old, next); err != nil {
		t.Errorf("the connector refuses it: %v", err)
	}
}

// refuses returns the error with which a connector that runs with one configuration refuses another.
func refuses(t *testing.T, before, after *render.Config) (refused error) {
	t.Helper()
	folder := t.TempDir()
	put(t, folder, before)
	path := filepath.Join(folder, render.FileName)
	current, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	put(t, folder, after)
	if reflect.DeepEqual(before.Files, after.Files) {
		return nil // nothing to reload
	}
	ctx, stop := context.WithCancel(t.Context())
	watcher := &config.Watcher{
		Path: path, Log: logr.Discard(),
		Apply:   func(*config.Config) error { return nil },
		Observe: func(err error) { refused = err; stop() },
	}
	if err := watcher.Run(ctx, current); err != nil {
		t.Fatal(err)
	}
	return refused
}

// put makes the folder hold the files of a configuration and no others.
func put(t *testing.T, folder string, c *render.Config) {
	t.Helper()
	for name, content := range c.Files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	there, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		if c.Files[file.Name()] == nil {
			if err := os.Remove(filepath.Join(folder, file.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestEveryFieldIsChanged keeps the list of changes complete.
func TestEveryFieldIsChanged(t *testing.T) {
	got := maps.Clone(constants)
	for _, c := range changes {
		got[c.field] = true
	}
	want := map[string]bool{}
	fields(reflect.ValueOf(connectortest.New(t, base).Spec), "", want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields with changes (-want +got):\n%s", diff)
	}
}

// fields adds the paths of a struct's fields, those of our own structs in place of the structs. Of a union it adds the
// member of its type only.
func fields(v reflect.Value, path string, into map[string]bool) {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t, v = t.Elem(), reflect.Zero(t.Elem())
	}
	if t.Kind() != reflect.Struct || !ours(t) {
		into[strings.TrimPrefix(path, ".")] = true
		return
	}
	kind := v.FieldByName("Type")
	for f, value := range v.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		member := f.Type.Kind() == reflect.Pointer && ours(f.Type.Elem())
		if !kind.IsValid() || !member || strings.EqualFold(name, kind.String()) {
			fields(value, path+"."+name, into)
		}
	}
}

// ours reports whether a type is the resource's own.
func ours(t reflect.Type) bool {
	return t.PkgPath() == reflect.TypeFor[v1alpha1.ChannelConnector]().PkgPath()
}

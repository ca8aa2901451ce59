package schema

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// smallest is what schematest.Smallest means, with every default.
func smallest() *v1alpha1.ChannelConnector {
	return &v1alpha1.ChannelConnector{
		TypeMeta:   metav1.TypeMeta{APIVersion: "xbot.a4b.vn/v1alpha1", Kind: "ChannelConnector"},
		ObjectMeta: metav1.ObjectMeta{Name: "shop"},
		Spec: v1alpha1.ChannelConnectorSpec{
			Type: v1alpha1.ChannelZaloOA,
			ZaloOA: &v1alpha1.ZaloOA{
				AppID: "2553928453557884079",
				Signature: v1alpha1.Signature{
					Mode:          v1alpha1.SignatureEnforce,
					SecretKeyRefs: []v1alpha1.SecretKeyRef{{Name: "shop-zalo", Key: "oa-secret-key"}},
				},
			},
			Webhook: v1alpha1.Webhook{
				MaxBodySize: resource.MustParse("1Mi"), MaxHeaderSize: resource.MustParse("8Ki"), MaxHeaderLines: 100,
				Events: v1alpha1.EventFilter{Include: []string{"*"}},
			},
			Inbox: v1alpha1.Inbox{Type: v1alpha1.InboxEmbedded},
			Sink: v1alpha1.Sink{
				Type: v1alpha1.SinkHTTP,
				HTTP: &v1alpha1.HTTPSink{URL: "http://bot.chat.svc/events", Timeout: duration(10 * time.Second), LocalAddresses: v1alpha1.LocalRefuse},
			},
			Delivery: v1alpha1.Delivery{
				Ordering:    v1alpha1.PerConversation,
				Concurrency: 64,
				Retry: v1alpha1.Retry{
					InitialBackoff: duration(time.Second),
					MaxBackoff:     duration(5 * time.Minute),
					MaxAge:         duration(24 * time.Hour),
				},
				DeadLetterRetention: duration(168 * time.Hour),
			},
			Workload: v1alpha1.Workload{
				Replicas: ptr.To[int32](1), TerminationGracePeriodSeconds: 30, LogLevel: v1alpha1.LogInfo,
				ServiceAccountToken: v1alpha1.TokenNone, UserIDs: v1alpha1.UserIDsFixed,
			},
		},
	}
}

func duration(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

func TestDecodeFillsInDefaults(t *testing.T) {
	got, err := Decode(t.Context(), []byte(schematest.Smallest))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(smallest(), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDecodeFillsInDefaultsOfAnEmbeddedInbox(t *testing.T) {
	got, err := Decode(t.Context(), []byte(schematest.Smallest+"  inbox: {embedded: {}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := &v1alpha1.EmbeddedInbox{Storage: v1alpha1.StoragePersistent, Size: resource.MustParse("1Gi")}
	if diff := cmp.Diff(want, got.Spec.Inbox.Embedded); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want, smallest().Spec.Inbox.Store()); diff != "" {
		t.Errorf("without embedded (-want +got)\n%s", diff)
	}
	if store := (v1alpha1.Inbox{Type: "Other", Embedded: want}).Store(); store != nil {
		t.Errorf("an inbox of another type has the store %v", store)
	}
}

func TestDecodeTakesJSONAndDropsTheStatus(t *testing.T) {
	object := schematest.Resource("delivery: null, workload: {replicas: null}")
	object.Object["status"] = map[string]any{"replicas": int64(3)}
	manifest, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(t.Context(), manifest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(smallest(), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ name, manifest, want string }{
		{"nothing", "", "no object: write apiVersion, kind, metadata and spec"},
		{"a list", "- a", "no object: write apiVersion, kind, metadata and spec"},
		{"no YAML", "a: [", "yaml: line 1: did not find expected node content"},
		{
			"another kind", "apiVersion: v1\nkind: Secret\nfoo: bar",
			`[apiVersion: Invalid value: "v1": must be xbot.a4b.vn/v1alpha1, kind: Invalid value: "Secret": must be ChannelConnector]`,
		},
		{
			"no name", strings.Replace(schematest.Smallest, "name: shop\n", "namespace: chat\n", 1),
			"metadata.name: Required value: name or generateName is required",
		},
		{
			"a name that cannot be", strings.Replace(schematest.Smallest, "name: shop\n", "name: Shop\n", 1),
			`metadata.name: Invalid value: "Shop": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, ` +
				`'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is ` +
				`'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
		},
		{
			"unknown fields", strings.Replace(schematest.Smallest, "name: shop\n", "name: shop\n  owner: me\n", 1) +
				"      uri: http://bot\n    kafka: {}\n",
			`strict decoding error: unknown field "metadata.owner", unknown field "spec.sink.http.uri", unknown field "spec.sink.kafka"`,
		},
		{
			"duplicate fields", schematest.Smallest + "      url: http://bot\n  zaloOA: {officialAccounts: [{id: a}, {id: b, id: c}]}\n",
			`strict decoding error: line 16: duplicate field "spec.sink.http.url", line 17: duplicate field "spec.zaloOA", ` +
				`line 17: duplicate field "spec.zaloOA.officialAccounts[1].id"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(t.Context(), []byte(c.manifest))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %v", err, c.want)
			}
		})
	}
}

func TestDecodeTakesWhatIsLargeAndForeign(t *testing.T) {
	var accounts strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&accounts, "    - {id: \"%d\", displayName: Cửa hàng số %d 🛍️ متجر}\n", i, i)
	}
	manifest := strings.Replace(schematest.Smallest, "  sink:\n", "    officialAccounts:\n"+accounts.String()+"  sink:\n", 1)
	manifest = strings.Replace(manifest, "name: shop\n", "name: "+strings.Repeat("n", 253)+"\n", 1)
	got, err := Decode(t.Context(), []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	last := v1alpha1.OfficialAccount{ID: "999", DisplayName: "Cửa hàng số 999 🛍️ متجر"}
	list := got.Spec.ZaloOA.OfficialAccounts
	if len(list) != 1000 {
		t.Fatalf("got %d accounts", len(list))
	}
	if diff := cmp.Diff(last, list[999]); diff != "" {
		t.Errorf("the last account (-want +got):\n%s", diff)
	}
}

// FuzzDecode looks for manifests at which Decode panics, or that it lets through without what the rest of the operator
// relies on.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(schematest.Smallest))
	for _, rule := range schematest.Rules {
		for _, patch := range []string{rule.Accepted, rule.Refused} {
			if manifest, err := schematest.Resource(patch).MarshalJSON(); err == nil && len(manifest) < 2048 {
				f.Add(manifest)
			}
		}
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		c, err := Decode(t.Context(), manifest)
		if err != nil {
			return
		}
		if !hasMember(c.Spec, string(c.Spec.Type)) || !hasMember(c.Spec.Sink, string(c.Spec.Sink.Type)) || c.Spec.Workload.Replicas == nil {
			t.Errorf("a member is missing: %+v", c.Spec)
		}
	})
}

// hasMember reports whether the member of a type is set in a union.
func hasMember(union any, of string) bool {
	member := reflect.ValueOf(union).FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, of) })
	return member.IsValid() && !member.IsNil()
}

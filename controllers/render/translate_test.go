package render

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	yaml "go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// echo is the member of a type of channel that this package has never heard of.
type echo struct {
	ID        string  `json:"id"`
	Signature signing `json:"signature,omitzero"`
	// TokenSecretKeyRef is what a handshake shows.
	TokenSecretKeyRef *v1alpha1.SecretKeyRef `json:"tokenSecretKeyRef,omitempty"`
	// WordSecretKeyRef is required.
	WordSecretKeyRef v1alpha1.SecretKeyRef `json:"wordSecretKeyRef"`
	Rooms            []room                `json:"rooms,omitempty"`
	// AppSecretKeyRef and Register are the operator's alone.
	AppSecretKeyRef *v1alpha1.SecretKeyRef `json:"appSecretKeyRef,omitempty" connector:"-"`
	Register        bool                   `json:"register,omitempty" connector:"-"`
}

type signing struct {
	SecretKeyRefs []v1alpha1.SecretKeyRef `json:"secretKeyRefs,omitempty"`
}

type room struct {
	Name         string                `json:"name"`
	SecretKeyRef v1alpha1.SecretKeyRef `json:"secretKeyRef"`
}

// TestANewTypeNeedsNoCode: the names of the fields say what becomes of references.
func TestANewTypeNeedsNoCode(t *testing.T) {
	ref := func(key string) v1alpha1.SecretKeyRef { return v1alpha1.SecretKeyRef{Name: "echo", Key: key} }
	token := ref("token")
	member := echo{
		ID: "7", Signature: signing{[]v1alpha1.SecretKeyRef{ref("new"), ref("old")}},
		TokenSecretKeyRef: &token, WordSecretKeyRef: ref("word"), Rooms: []room{{"hall", ref("hall")}},
		AppSecretKeyRef: &token, Register: true,
	}
	var got []Reference
	section := translation{stand: func(r Reference) config.APIKey {
		got = append(got, r)
		return config.APIKey{Secret: config.Secret{Value: "value of " + r.Key}}
	}}.section(reflect.ValueOf(member), "spec.echo", "channels[0].echo")
	text, err := yaml.Marshal(section)
	if err != nil {
		t.Fatal(err)
	}
	const want = `id: "7"
signature:
    secretKeys:
        - value: value of new
        - value: value of old
tokenSecret:
    value: value of token
wordSecret:
    value: value of word
rooms:
    - name: hall
      value: value of hall
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("section (-want +got):\n%s", diff)
	}
	references := []Reference{
		{
			Path: "spec.echo.signature.secretKeyRefs[0]", Field: "channels[0].echo.signature.secretKeys[0]",
			Object: Object{KindSecret, "echo"}, Key: "new",
		},
		{
			Path: "spec.echo.signature.secretKeyRefs[1]", Field: "channels[0].echo.signature.secretKeys[1]",
			Object: Object{KindSecret, "echo"}, Key: "old",
		},
		{
			Path: "spec.echo.tokenSecretKeyRef", Field: "channels[0].echo.tokenSecret",
			Object: Object{KindSecret, "echo"}, Key: "token", Use: ChannelSecret,
		},
		{
			Path: "spec.echo.wordSecretKeyRef", Field: "channels[0].echo.wordSecret",
			Object: Object{KindSecret, "echo"}, Key: "word", Use: ChannelSecret,
		},
		{
			Path: "spec.echo.rooms[0].secretKeyRef", Field: "channels[0].echo.rooms[0]",
			Object: Object{KindSecret, "echo"}, Key: "hall", Use: ChannelSecret,
		},
	}
	if diff := cmp.Diff(references, got); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

// stored is a union of which one member is of a type that this package has never heard of.
type stored struct {
	Type     string                  `json:"type"`
	Window   *metav1.Duration        `json:"window,omitempty"`
	Embedded *v1alpha1.EmbeddedInbox `json:"embedded,omitempty"`
	Stream   *stream                 `json:"stream,omitempty"`
}

type stream struct {
	PasswordSecretKeyRef *v1alpha1.SecretKeyRef `json:"passwordSecretKeyRef,omitempty"`
	CASecretKeyRef       *v1alpha1.SecretKeyRef `json:"caSecretKeyRef,omitempty"`
}

// TestUnion: an inbox keeps everything but the members of other types, and the Secret keys in its member are found.
func TestUnion(t *testing.T) {
	union := stored{
		Type: "Stream", Window: &metav1.Duration{Duration: time.Hour}, Embedded: &v1alpha1.EmbeddedInbox{StorageClassName: "fast"},
		Stream: &stream{&v1alpha1.SecretKeyRef{Name: "nats", Key: "password"}, &v1alpha1.SecretKeyRef{Name: "nats", Key: "ca"}},
	}
	var got []Reference
	text, err := yaml.Marshal(translation{stand: func(r Reference) config.APIKey {
		got = append(got, r)
		return config.APIKey{Secret: config.Secret{Value: "value of " + r.Key}}
	}}.section(reflect.ValueOf(union), "spec.inbox", "inbox"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `type: Stream
window: 1h0m0s
stream:
    passwordSecret:
        value: value of password
    caFile: inbox-ca.crt
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("section (-want +got):\n%s", diff)
	}
	references := []Reference{
		{
			Path: "spec.inbox.stream.passwordSecretKeyRef", Field: "inbox.stream.passwordSecret",
			Object: Object{KindSecret, "nats"}, Key: "password", Use: Credential,
		},
		{
			Path: "spec.inbox.stream.caSecretKeyRef", Field: "inbox.stream.caFile", Object: Object{KindSecret, "nats"}, Key: "ca", Use: Certificate,
			File: "inbox-ca.crt",
		},
	}
	if diff := cmp.Diff(references, got); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

// TestStopOfAnotherInbox: a roll-out begins the next pod before the last one ends, which leaves its events to it.
func TestStopOfAnotherInbox(t *testing.T) {
	got := stop(v1alpha1.ChannelConnectorSpec{Inbox: v1alpha1.Inbox{Type: "Stream"}})
	if got.DrainDelay != config.Duration(drainDelay) || got.Pending != config.PendingKeep {
		t.Errorf("%+v, want a delay for the endpoints and no events delivered", got)
	}
}

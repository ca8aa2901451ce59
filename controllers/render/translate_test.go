package render

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	yaml "go.yaml.in/yaml/v3"

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
		{Path: "spec.echo.signature.secretKeyRefs[0]", Field: "channels[0].echo.signature.secretKeys[0]", Secret: "echo", Key: "new"},
		{Path: "spec.echo.signature.secretKeyRefs[1]", Field: "channels[0].echo.signature.secretKeys[1]", Secret: "echo", Key: "old"},
		{Path: "spec.echo.tokenSecretKeyRef", Field: "channels[0].echo.tokenSecret", Secret: "echo", Key: "token"},
		{Path: "spec.echo.wordSecretKeyRef", Field: "channels[0].echo.wordSecret", Secret: "echo", Key: "word"},
		{Path: "spec.echo.rooms[0].secretKeyRef", Field: "channels[0].echo.rooms[0]", Secret: "echo", Key: "hall"},
	}
	if diff := cmp.Diff(references, got); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

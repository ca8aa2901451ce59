package webchat

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzRead: what is read of a body is what encoding/json reads of it, within bounds. What is refused quotes nothing of
// it.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		`{"userInfo":{"id":"a","name":"b","extData":{}}}`, `{"userInfo":{"userId":12345678901234567890}}`, `{"token":"abc"}`, `{}`,
		`{"userInfo":{"id":"\ud83d\ude00"}}`, `{"userInfo":{"id":1,"id":2}}`, `{"token":null,"userInfo":null}`, `{"userInfo":[]}`, `[`, "",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, refusal := read(body)
		if refusal != nil {
			if refusal.Status != 400 || got != (request{}) || len(refusal.Message) > 200 {
				t.Errorf("%+v, %+v", got, refusal)
			}
			return
		}
		if len(got.token) > maxToken || strings.ContainsFunc(got.token, func(r rune) bool { return r <= ' ' || r > '~' }) ||
			len(got.id) > 256 || len(got.name) > 256 || !utf8.ValidString(got.id+got.name) {
			t.Errorf("out of bounds: %+v", got)
		}
		if want := plainly(t, body); want != got {
			t.Errorf("%s (-want +got):\n%s", body, cmp.Diff(want, got, cmp.AllowUnexported(request{})))
		}
	})
}

// plainly reads a body that is known to be good.
func plainly(t *testing.T, body []byte) request {
	t.Helper()
	all := members(t, body)
	if token := text(t, all["token"]); token != "" {
		return request{token: token}
	}
	user := members(t, all["userInfo"])
	found := request{id: text(t, user["id"]), name: text(t, user["name"])}
	if found.id == "" {
		found.id = text(t, user["userId"])
	}
	return found
}

func members(t *testing.T, object json.RawMessage) (found map[string]json.RawMessage) {
	t.Helper()
	if len(object) > 0 && json.Unmarshal(object, &found) != nil {
		t.Fatalf("no object: %s", object)
	}
	return found
}

func text(t *testing.T, value json.RawMessage) (found string) {
	t.Helper()
	if strings.HasPrefix(string(value), `"`) {
		if err := json.Unmarshal(value, &found); err != nil {
			t.Fatal(err)
		}
		return found
	}
	return strings.TrimPrefix(string(value), "null")
}

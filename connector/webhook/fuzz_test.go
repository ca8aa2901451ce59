package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// FuzzHandler sends arbitrary calls through everything, to a channel under Enforce and one under Audit. Whatever comes:
// an answer of the table in JSON, 200 to none without a key, and nothing stored that is not whole, answered 200, of the
// channel whose key came, of its app, and signed unless under Audit.
func FuzzHandler(f *testing.F) {
	samples, err := filepath.Glob(filepath.Join(sampleFolder, "*.json"))
	if err != nil || len(samples) == 0 {
		f.Fatal(len(samples), err)
	}
	for _, file := range samples {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, timestamp := signedMembers(body)
		f.Add("POST", path, keyParameter+"="+key, "", zalo.Sign(app, body, timestamp, secret), body, true)
		f.Add("POST", path, keyParameter+"="+key, "", zalo.Sign(app, body, timestamp, "another"), body, true)
		f.Add("POST", path, keyParameter+"="+otherKey, "", "", body, true)
	}
	f.Add("GET", "/", "", "", "", []byte(nil), false)
	f.Add("POST", path, "a=%zz;&param%2Eheader.xp-api-key="+key, "x", "mac=", []byte("{}"), false)
	f.Add("HEAD", path, "", key, "", []byte("{"), true)
	f.Fuzz(func(t *testing.T, method, urlPath, query, header, signature string, body []byte, announced bool) {
		fixture := newFixture(t, nil, fuzzedChannel("chat/shop", key, channel.SignatureEnforce),
			fuzzedChannel("chat/audit", otherKey, channel.SignatureAudit))
		call := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		call.Method, call.URL = method, &url.URL{Path: urlPath, RawQuery: query}
		call.Header = http.Header{"Xp-Api-Key": {header}, "X-Zevent-Signature": {signature}}
		if !announced {
			call.ContentLength = -1
		}
		w := fixture.do(call)
		if spelled := spelling(call.URL); spelled == "/" || spelled == HealthPath {
			return // no call of a platform
		}
		checkAnswer(t, w)
		values, _ := url.ParseQuery(query)
		came := values.Get(keyParameter)
		if came == "" {
			came = header
		}
		if w.Code == http.StatusOK && came != key && came != otherKey {
			t.Error("let in without a key")
		}
		stored := fixture.inbox.stored()
		if len(stored) > 1 || len(stored) == 1 && w.Code != http.StatusOK {
			t.Errorf("%d stored and answered %d", len(stored), w.Code)
		}
		for _, e := range stored {
			checkStored(t, e, came, signature, body)
		}
	})
}

func fuzzedChannel(name, key string, mode channel.SignatureMode) Channel {
	z := zaloOA()
	z.Signature.Mode = mode
	return newChannel(func(c *Channel) {
		c.Name, c.Keys, c.MaxBodySize, c.Type = name, digests(key), 4096, opened(name, z)
	})
}

func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	allowed := map[int]bool{200: true, 400: true, 401: true, 403: true, 404: true, 405: true, 413: true}
	got := readReply(t, w.Body)
	if !allowed[w.Code] || (got.Status == "0") != (w.Code == http.StatusOK) || got.Message == "" {
		t.Errorf("%d %+v", w.Code, got)
	}
}

func checkStored(t *testing.T, e event.Event, came, signature string, body []byte) {
	t.Helper()
	if !bytes.Equal(e.Body, body) {
		t.Error("not stored whole")
	}
	if keys := map[string]string{"chat/shop": key, "chat/audit": otherKey}; came != keys[e.Channel] {
		t.Errorf("stored for %s, which has another key", e.Channel)
	}
	named, timestamp := signedMembers(body)
	if named != nil && named != app {
		t.Errorf("stored, though of app %v", named)
	}
	digits := strings.TrimPrefix(zalo.Sign(app, body, timestamp, secret), "mac=")
	signed := named == app && timestamp != "" && strings.EqualFold(strings.TrimPrefix(signature, "mac="), digits)
	if e.Channel == "chat/shop" && !signed {
		t.Errorf("stored under Enforce with signature %q", signature)
	}
}

// signedMembers reads what the signature covers besides the body, with another reader than the connector's; both are
// nil or empty when they are no text.
func signedMembers(body []byte) (appID any, timestamp string) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	members := map[string]any{}
	if decoder.Decode(&members) != nil {
		return nil, ""
	}
	text := func(value any) any {
		if number, ok := value.(json.Number); ok {
			return number.String()
		}
		return value
	}
	timestamp, _ = text(members["timestamp"]).(string)
	return text(members["app_id"]), timestamp
}

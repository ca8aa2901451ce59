package webhook

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
)

// FuzzHandler sends arbitrary calls through everything. Whatever comes: an
// answer of the table in JSON, 200 to none without the key, and nothing stored
// that is not signed, whole and answered 200.
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
		f.Add("POST", path, keyParameter+"="+key, "", zalo.Sign(app, body, "1782863507304", secret), body, true)
	}
	f.Add("GET", "/", "", "", "", []byte(nil), false)
	f.Add("POST", path, "a=%zz;&param%2Eheader.xp-api-key="+key, "x", "mac=", []byte("{}"), false)
	f.Add("HEAD", path, "", key, "", []byte("{"), true)
	allowed := map[int]bool{200: true, 400: true, 401: true, 403: true, 404: true, 405: true, 413: true}
	f.Fuzz(func(t *testing.T, method, urlPath, query, header, signature string, body []byte, announced bool) {
		fixture := newFixture(t, nil, newChannel(func(c *Channel) { c.MaxBodySize = 4096 }))
		call := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		call.Method, call.URL = method, &url.URL{Path: urlPath, RawQuery: query}
		call.Header = http.Header{"Xp-Api-Key": {header}, "X-Zevent-Signature": {signature}}
		if !announced {
			call.ContentLength = -1
		}
		w := fixture.do(call)
		got := readReply(t, w.Body)
		if !allowed[w.Code] || (got.Status == "0") != (w.Code == http.StatusOK) || got.Message == "" {
			t.Errorf("%d %+v", w.Code, got)
		}
		values, _ := url.ParseQuery(query)
		if w.Code == http.StatusOK && values.Get(keyParameter) != key && header != key {
			t.Error("let in without the key")
		}
		for _, e := range fixture.inbox.stored() {
			if w.Code != http.StatusOK || !bytes.Equal(e.Body, body) {
				t.Errorf("stored and answered %d, or not whole", w.Code)
			}
		}
	})
}

package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Load balancers check the port that serves, and take anything but 200 for dead.
func TestHealthChecksAreAnsweredAndNotCounted(t *testing.T) {
	plain := newFixture(t, nil, newChannel())
	withPage := newFixture(t, nil, newChannel(func(c *Channel) {
		z := zaloOA()
		z.DomainVerification.Codes = []string{"code"}
		c.Type = opened(c.Name, z)
	}))
	for _, tc := range []struct {
		f                  *fixture
		path               string
		serving, stopping  int
		contentTypePrefix  string
		refusedOtherMethod int
	}{
		{plain, "/healthz", 200, 503, "text/plain", 405},
		{plain, "/healthz/", 200, 503, "text/plain", 405},
		{plain, "/", 200, 503, "text/plain", 405},
		{plain, "/healthz/x", 404, 404, "application/json", 404},
		{withPage, "/healthz", 200, 503, "text/plain", 405},
		{withPage, "/", 200, 200, "text/html", 405},
	} {
		tc.f.draining.Store(false)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			w := tc.f.do(httptest.NewRequest(method, tc.path, nil))
			if w.Code != tc.serving || !strings.HasPrefix(w.Header().Get("Content-Type"), tc.contentTypePrefix) {
				t.Errorf("%s %s: %d %s", method, tc.path, w.Code, w.Header().Get("Content-Type"))
			}
		}
		if w := tc.f.do(httptest.NewRequest(http.MethodPost, tc.path, nil)); w.Code != tc.refusedOtherMethod {
			t.Errorf("POST %s: %d", tc.path, w.Code)
		}
		tc.f.Drain()
		if w := tc.f.do(httptest.NewRequest(http.MethodGet, tc.path, nil)); w.Code != tc.stopping {
			t.Errorf("GET %s while stopping: %d", tc.path, w.Code)
		}
	}
	if n := plain.refused("", "method") + withPage.refused("", "method"); n != 5 {
		t.Errorf("%d refused for their method, want those of POST", n)
	}
	if n := plain.refused("", "unknown_path"); n != 4 {
		t.Errorf("%d refused for their path, want those of /healthz/x", n)
	}
}

// A console may check the URL with a GET before it is saved.
func TestGetWithTheKeyChecksTheURL(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if w := f.do(httptest.NewRequest(method, path+"?"+keyParameter+"="+key+"&hub.challenge=echo", nil)); w.Code != 200 ||
			strings.Contains(w.Body.String(), "echo") {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
		if w := f.do(httptest.NewRequest(method, path+"?"+keyParameter+"="+otherKey, nil)); w.Code != 405 {
			t.Errorf("%s with a wrong key: %d", method, w.Code)
		}
	}
	if n := int(f.metrics.Of("chat/shop").Ignored.Of("url_check")); n != 2 || len(f.inbox.stored()) > 0 {
		t.Errorf("%d counted, %d stored", n, len(f.inbox.stored()))
	}
}

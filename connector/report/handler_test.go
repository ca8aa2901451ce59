package report_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/report"
)

const token = "synthetic-report-token"

func one(context.Context) report.Report {
	return report.Report{
		Began: time.Unix(1_800_000_000, 0).UTC(), Inbox: report.Inbox{State: report.InboxOK, UsedBytes: 1, LimitBytes: 2},
		Channels: []report.Channel{{Name: "chat/a", Signature: report.Signature{Mode: "Enforce"}}},
	}
}

func get(handler http.Handler, authorization string) *httptest.ResponseRecorder {
	call := httptest.NewRequest(http.MethodGet, report.Path, nil)
	if authorization != "" {
		call.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, call)
	return w
}

func TestWhoGetsTheReport(t *testing.T) {
	for name, tt := range map[string]struct {
		token, authorization string
		want                 int
	}{
		"right":                        {token, "Bearer " + token, http.StatusOK},
		"right, another spelling":      {token, "bearer " + token, http.StatusOK},
		"none configured":              {"", "Bearer " + token, http.StatusNotFound},
		"none configured, none sent":   {"", "", http.StatusNotFound},
		"none configured, none behind": {"", "Bearer ", http.StatusNotFound},
		"none sent":                    {token, "", http.StatusUnauthorized},
		"wrong":                        {token, "Bearer " + token + "x", http.StatusUnauthorized},
		"a part":                       {token, "Bearer " + token[:8], http.StatusUnauthorized},
		"another scheme":               {token, "Basic " + token, http.StatusUnauthorized},
		"without a scheme":             {token, token, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(report.NewHandler(func() string { return tt.token }, one), tt.authorization)
			if w.Code != tt.want || w.Header().Get("Cache-Control") != "no-store" {
				t.Fatalf("%d, %v", w.Code, w.Header())
			}
			if w.Code == http.StatusUnauthorized && w.Body.Len() > 0 {
				t.Errorf("says %s", w.Body)
			}
			if w.Code != http.StatusOK {
				return
			}
			var got report.Report
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(one(t.Context()), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(w.Body.String(), "0001-01-01") {
				t.Errorf("holds a time that never was: %s", w.Body)
			}
		})
	}
}

func TestALargeReportIsNone(t *testing.T) {
	large := one(t.Context())
	for len(large.Channels) < 200 {
		large.Channels = append(large.Channels, large.Channels[0])
	}
	w := get(report.NewHandler(func() string { return token }, func(context.Context) report.Report { return large }), "Bearer "+token)
	if w.Code != http.StatusInsufficientStorage || !strings.Contains(w.Body.String(), "the report of 200 channels has") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

func TestFewReportsAtOnce(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := report.NewHandler(func() string { return token }, func(ctx context.Context) report.Report {
		entered <- struct{}{}
		<-leave
		return one(ctx)
	})
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			if w := get(handler, "Bearer "+token); w.Code != http.StatusOK {
				t.Errorf("%d", w.Code)
			}
		})
		<-entered
	}
	if w := get(handler, "Bearer "+token); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a fifth one: %d", w.Code)
	}
	if w := get(handler, "Bearer x"); w.Code != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", w.Code)
	}
	close(leave)
	calls.Wait()
}

func TestKeyID(t *testing.T) {
	id := report.KeyID(token, "key")
	if len(id) != 16 || id != report.KeyID(token, "key") {
		t.Errorf("%q", id)
	}
	if id == report.KeyID(token, "kez") || id == report.KeyID(token+"x", "key") {
		t.Error("two keys or tokens have one id")
	}
	if id := report.KeyID("", "key"); id != "" {
		t.Errorf("without a token: %q", id)
	}
}

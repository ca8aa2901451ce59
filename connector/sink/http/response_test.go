package httpsink

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/sink"
)

var testNow = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func TestRetryAfter(t *testing.T) {
	tests := map[string]struct {
		value string
		want  time.Duration
		// sent is the header Date.
		sent string
	}{
		"absent":              {"", 0, ""},
		"seconds":             {"120", 2 * time.Minute, ""},
		"zero":                {"0", 0, ""},
		"capped":              {"86400", time.Hour, ""},
		"beyond 64 bits":      {"99999999999999999999999999", time.Hour, ""},
		"negative":            {"-5", 0, ""},
		"fraction":            {"1.5", 0, ""},
		"date":                {"Sun, 22 Nov 2026 10:00:30 GMT", 30 * time.Second, ""},
		"date in the past":    {"Sun, 22 Nov 2026 09:00:00 GMT", 0, ""},
		"date far ahead":      {"Sun, 22 Nov 2099 10:00:00 GMT", time.Hour, ""},
		"obsolete date forms": {"Sun Nov 22 10:01:00 2026", time.Minute, ""},
		"text":                {"soon", 0, ""},
		"our clock is behind": {"Mon, 23 Nov 2026 10:00:30 GMT", 30 * time.Second, "Mon, 23 Nov 2026 10:00:00 GMT"},
		"our clock is ahead":  {"Sat, 21 Nov 2026 10:00:30 GMT", 30 * time.Second, "Sat, 21 Nov 2026 10:00:00 GMT"},
		"date in its past":    {"Mon, 23 Nov 2026 10:00:30 GMT", 0, "Mon, 23 Nov 2026 10:00:31 GMT"},
		"unreadable Date":     {"Sun, 22 Nov 2026 10:00:30 GMT", 30 * time.Second, "today"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Retry-After": {tt.value}, "Date": {tt.sent}}
			if got := retryAfter(header, testNow); got != tt.want {
				t.Errorf("retryAfter(%q) = %v, want %v", tt.value, got, tt.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "1", "-1", "18446744073709551616", "Sun, 22 Nov 2026 10:00:30 GMT"} {
		f.Add(seed, "")
		f.Add(seed, "Sun, 22 Nov 2026 10:00:00 GMT")
	}
	f.Fuzz(func(t *testing.T, value, sent string) {
		header := http.Header{"Retry-After": {value}, "Date": {sent}}
		if got := retryAfter(header, testNow); got < 0 || got > maxRetryAfter {
			t.Errorf("retryAfter(%q) = %v, out of bounds", header, got)
		}
	})
}

// TestVerdictOfEveryStatus walks through all codes, so that none can move from one group to another unnoticed.
func TestVerdictOfEveryStatus(t *testing.T) {
	refused := map[int]bool{400: true, 410: true, 413: true, 415: true, 422: true}
	for status := 100; status <= 999; status++ {
		err := judge(&http.Response{StatusCode: status}, testNow)
		_, isRefused := errors.AsType[*sink.Refused](err)
		failed, isFailed := errors.AsType[*sink.Failed](err)
		switch {
		case status >= 200 && status < 300:
			if err != nil {
				t.Errorf("%d: %v, want taken", status, err)
			}
		case refused[status]:
			if !isRefused {
				t.Errorf("%d: %v, want refused", status, err)
			}
		default:
			if !isFailed || failed.Class != "status" {
				t.Errorf("%d: %v, want failed by status", status, err)
			}
		}
	}
}

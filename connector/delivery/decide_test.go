package delivery

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/sink"
)

func schedule(initial, most, age time.Duration) config.Retry {
	return config.Retry{
		InitialBackoff: config.Duration(initial),
		MaxBackoff:     config.Duration(most),
		MaxAge:         config.Duration(age),
	}
}

func half() float64 { return 0.5 }

func TestDecide(t *testing.T) {
	after := func(d time.Duration) inbox.Verdict { return inbox.Retry{After: d} }
	down := &sink.Failed{Class: "status", Reason: "HTTP 503"}
	tests := map[string]struct {
		attempts          int
		age, paused, took time.Duration
		err               error
		cut               bool
		want              inbox.Verdict
	}{
		"taken":                   {err: nil, want: inbox.Taken{}},
		"taken, although too old": {age: 48 * time.Hour, err: nil, want: inbox.Taken{}},
		"taken while stopping":    {cut: true, err: nil, want: inbox.Taken{}},
		"refused":                 {err: &sink.Refused{Reason: "HTTP 422"}, want: inbox.Dead{Reason: "sink refused the event: HTTP 422"}},
		"refused, wrapped": {
			err: fmt.Errorf("x: %w", &sink.Refused{Reason: "HTTP 410"}), want: inbox.Dead{Reason: "sink refused the event: HTTP 410"},
		},
		"refused while stopping": {
			cut: true, err: &sink.Refused{Reason: "HTTP 400"}, want: inbox.Dead{Reason: "sink refused the event: HTTP 400"},
		},
		"failed while stopping":       {cut: true, err: &sink.Failed{Class: "canceled"}, want: inbox.Released{}},
		"too old, but cut short":      {cut: true, age: 48 * time.Hour, err: down, want: inbox.Released{}},
		"first failure":               {err: down, want: after(500 * time.Millisecond)},
		"fourth failure":              {attempts: 3, err: down, want: after(4 * time.Second)},
		"at the cap":                  {attempts: 40, err: down, want: after(150 * time.Second)},
		"an error of an unknown type": {err: errors.New("?"), want: after(500 * time.Millisecond)},
		"Retry-After is longer":       {err: &sink.Failed{RetryAfter: 7 * time.Minute}, want: after(7 * time.Minute)},
		"Retry-After is shorter":      {attempts: 3, err: &sink.Failed{RetryAfter: time.Second}, want: after(4 * time.Second)},
		"Retry-After beyond maxAge":   {age: 20 * time.Hour, err: &sink.Failed{RetryAfter: 100 * time.Hour}, want: after(4 * time.Hour)},
		"backoff beyond maxAge": {
			attempts: 40, age: 24*time.Hour - time.Minute, took: 10 * time.Second, err: down, want: after(50 * time.Second),
		},
		"just young enough": {age: 24*time.Hour - time.Second, err: down, want: after(500 * time.Millisecond)},
		"expired": {
			attempts: 2, age: 24 * time.Hour, err: down, want: inbox.Dead{Reason: "expired after attempt 3: sink failed: HTTP 503"},
		},
		"paused for a day": {age: 36 * time.Hour, paused: 24 * time.Hour, err: down, want: after(500 * time.Millisecond)},
		"expired during the attempt": {
			age: 24*time.Hour - time.Second, took: time.Second, err: down,
			want: inbox.Dead{Reason: "expired after attempt 1: sink failed: HTTP 503"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := decide(attempt{
				claim: inbox.Claim{Attempts: tt.attempts, Age: tt.age, Paused: tt.paused},
				took:  tt.took, err: tt.err, cut: tt.cut,
			}, schedule(time.Second, 5*time.Minute, 24*time.Hour), half)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	tests := map[string]struct {
		initial, most time.Duration
		attempts      int
		random        float64
		want          time.Duration
	}{
		"first, lowest":            {time.Second, time.Minute, 1, 0, 0},
		"first, middle":            {time.Second, time.Minute, 1, 0.5, 500 * time.Millisecond},
		"doubles":                  {time.Second, time.Minute, 5, 0.5, 8 * time.Second},
		"last before the cap":      {time.Second, time.Minute, 6, 0.5, 16 * time.Second},
		"capped":                   {time.Second, time.Minute, 7, 0.5, 30 * time.Second},
		"capped, a power of two":   {time.Second, 64 * time.Second, 7, 0.5, 32 * time.Second},
		"no overflow":              {time.Second, 2400000 * time.Hour, 63, 0.5, 1200000 * time.Hour},
		"many attempts":            {time.Second, time.Minute, 1 << 30, 0.5, 30 * time.Second},
		"initial beyond the cap":   {time.Hour, time.Minute, 1, 0.5, 30 * time.Second},
		"no wait at all is a wish": {0, 0, 9, 0.5, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := backoff(schedule(tt.initial, tt.most, 0), tt.attempts, func() float64 { return tt.random })
			if got != tt.want {
				t.Errorf("backoff %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDescribeKeepsUnknownErrorsToItself(t *testing.T) {
	result, reason := describe(errors.New("Post http://user:password@bot/ failed"))
	if result != resultUnknown || strings.Contains(reason, "password") {
		t.Errorf("described as %q, %q", result, reason)
	}
}

package webhook

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	var lines throttle
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true}, {0, false}, {time.Minute - 1, false}, {time.Minute, true}, {90 * time.Second, false}, {2 * time.Minute, true},
		{-time.Hour, true}, {-time.Hour + time.Second, false},
	} {
		if got := lines.allows(start.Add(step.after)); got != step.want {
			t.Errorf("%v after: %v", step.after, got)
		}
	}
}

func TestThrottleLetsOneOfManyThrough(t *testing.T) {
	var lines throttle
	var callers sync.WaitGroup
	var let atomic.Int32
	now := time.Now()
	for range 8 {
		callers.Go(func() {
			for range 100 {
				if lines.allows(now) {
					let.Add(1)
				}
			}
		})
	}
	callers.Wait()
	if n := let.Load(); n != 1 {
		t.Errorf("%d lines", n)
	}
}

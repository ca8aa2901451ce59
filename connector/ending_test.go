package connector

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
)

// TestTheGracePeriodEndsTheProcess a moment before its end, however the stop began and whatever hangs. What ends in
// time is left to do so.
func TestTheGracePeriodEndsTheProcess(t *testing.T) {
	const grace = 20 * time.Second
	inTime := errors.New("an orderly stop")
	tests := map[string]struct {
		takes, ends time.Duration // after the stop has begun
		want        string
	}{
		"at once":  {0, 0, inTime.Error()},
		"in time":  {grace - exitMargin - 1, grace - exitMargin - 1, inTime.Error()},
		"too late": {grace - exitMargin + 1, grace - exitMargin, "the grace period of 20s ended while the process waited for deliveries"},
		"never":    {time.Hour, grace - exitMargin, "the grace period of 20s ended while the process waited for deliveries"},
	}
	for name, tt := range tests {
		for _, way := range []string{"begin", "signal"} {
			t.Run(name+", by "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := newEnding(logr.Discard())
					e.useGracePeriod(grace)
					e.waitsFor("deliveries")
					signalled, signal := context.WithCancel(t.Context())
					begin := map[string]func(){"begin": e.begin, "signal": signal}[way]
					start := time.Now()
					time.AfterFunc(time.Minute, begin)
					err := e.within(signalled, func() error {
						<-time.After(time.Minute + tt.takes)
						return inTime
					})
					if took := time.Since(start) - time.Minute; took != tt.ends || !strings.Contains(err.Error(), tt.want) {
						t.Errorf("ended after %v with %v, want %v with %q", took, err, tt.ends, tt.want)
					}
					<-time.After(time.Hour) // what hangs has an end here
				})
			})
		}
	}
}

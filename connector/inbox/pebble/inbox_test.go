package pebble_test

import (
	"context"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// TestMain looks for goroutines left behind, but not where a store was ended in the middle of its work.
func TestMain(m *testing.M) {
	if os.Getenv(ownProcess) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// options are those of a store in memory, on the test's clock.
func options(t *testing.T, clock *inboxtest.Clock, fs vfs.FS) pebble.Options {
	return pebble.Options{
		Path: "inbox", MaxSize: 1 << 30, DeduplicationWindow: inboxtest.Window,
		Metrics: telemetry.New(prometheus.NewRegistry()), Log: testr.New(t), FS: fs, Clock: clock,
		Fatal: func(cause error) { panic(cause) },
	}
}

func open(t *testing.T, o pebble.Options) *pebble.Inbox {
	t.Helper()
	s, err := pebble.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// acceptOne stores a batch of one event.
func acceptOne(ctx context.Context, s inbox.Accepter, e event.Event) (inbox.Outcome, error) {
	outcomes, err := s.Accept(ctx, []event.Event{e})
	if err != nil {
		return 0, err
	}
	return outcomes[0], nil
}

// settle ends a claim.
func settle(ctx context.Context, s *pebble.Inbox, c inbox.Claim, v inbox.Verdict) error {
	return s.Consumer(c.Event.Channel).Settle(ctx, c, v)
}

func TestConformance(t *testing.T) {
	inboxtest.Run(t, inboxtest.Store{
		Capabilities: inboxtest.Capabilities{Clock: true, Size: true, Bound: true},
		New: func(t *testing.T, clock *inboxtest.Clock) func() inbox.Inbox {
			fs := vfs.NewMem()
			return func() inbox.Inbox { return open(t, options(t, clock, fs)) }
		},
	})
}

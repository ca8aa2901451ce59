package pebble_test

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
)

// TestDeadLettersOfOthers: a channel without dead letters has none to redrive or drop, whatever other channels have.
// The keys of one of the two come first.
func TestDeadLettersOfOthers(t *testing.T) {
	for _, names := range [][2]string{{"chat/shop", "chat/other"}, {"chat/other", "chat/shop"}} {
		s := open(t, options(t, inboxtest.NewClock(), vfs.NewMem()))
		if _, err := acceptOne(t.Context(), s, inboxtest.Event(names[0], "an", 1)); err != nil {
			t.Fatal(err)
		}
		claims, _, err := s.Consumer(names[0]).Claim(t.Context(), 1)
		if err != nil || len(claims) != 1 {
			t.Fatalf("%d claims, %v", len(claims), err)
		}
		if err := settle(t.Context(), s, claims[0], inbox.Dead{Reason: "HTTP 422"}); err != nil {
			t.Fatal(err)
		}
		_ = s.Consumer(names[1]) // now the store knows of it
		for _, act := range []func(context.Context, string, ...event.ID) (int, error){s.Redrive, s.Drop} {
			if n, err := act(t.Context(), names[1]); n != 0 || err != nil {
				t.Errorf("%d dead letters of %s, error %v; it has none", n, names[1], err)
			}
		}
		if stats, err := s.Stats(t.Context(), names[0]); err != nil || stats.DeadLetters != 1 {
			t.Errorf("%s: %+v, %v; want a dead letter", names[0], stats, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

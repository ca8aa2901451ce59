package admin

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// fakeInbox holds dead letters in memory.
type fakeInbox struct {
	letters map[string][]inbox.DeadLetter
	stats   map[string]inbox.Stats
	// broken is returned by every call that can fail; a list yields it last.
	broken error
}

func (f *fakeInbox) Channels() []string {
	return slices.Sorted(maps.Keys(f.stats))
}

func (f *fakeInbox) Stats(_ context.Context, channel string) (inbox.Stats, error) {
	return f.stats[channel], f.broken
}

func (f *fakeInbox) Usage() (used, limit int64) { return 3 << 20, 1 << 30 }

func (f *fakeInbox) DeadLetters(channel string) iter.Seq2[inbox.DeadLetter, error] {
	return func(yield func(inbox.DeadLetter, error) bool) {
		for _, letter := range f.letters[channel] {
			if !yield(letter, nil) {
				return
			}
		}
		if f.broken != nil {
			yield(inbox.DeadLetter{}, f.broken)
		}
	}
}

func (f *fakeInbox) Redrive(ctx context.Context, channel string, ids ...event.ID) (int, error) {
	return f.Drop(ctx, channel, ids...)
}

func (f *fakeInbox) Drop(_ context.Context, channel string, ids ...event.ID) (int, error) {
	before := f.letters[channel]
	var kept []inbox.DeadLetter
	for _, letter := range before {
		if len(ids) > 0 && !slices.Contains(ids, letter.Event.ID) {
			kept = append(kept, letter)
		}
	}
	if len(before)-len(kept) < len(ids) {
		return 0, inbox.ErrNotFound
	}
	f.letters[channel] = kept
	return len(before) - len(kept), f.broken
}

func letter(n byte) inbox.DeadLetter {
	return inbox.DeadLetter{
		Event: event.Event{
			ID:           event.ID{n},
			Channel:      "chat/shop",
			Source:       "/zalo/1/2",
			Type:         "vn.zalo.oa.user_send_text",
			Subject:      "user-77",
			Conversation: "2/user-77",
			Time:         testNow.Add(-time.Hour),
			ContentType:  "application/json",
			Body:         []byte(`{"text":"Chào <b>"}` + "\n"),
		},
		Reason:     "HTTP 422",
		Attempts:   int(n),
		AcceptedAt: testNow.Add(-time.Minute),
		DiedAt:     testNow,
	}
}

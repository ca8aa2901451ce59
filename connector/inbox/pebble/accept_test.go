package pebble

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// TestAFullInboxTakesNothingOfABatch: not even the ids, so that the same call is stored once there is room. A batch of
// duplicates alone needs none.
func TestAFullInboxTakesNothingOfABatch(t *testing.T) {
	db := openBare(t)
	s := &Inbox{db: db, duplicates: newDuplicates(knownWindow, at(0))}
	ch := newChannel(layout.ChannelRecord{Name: knownChannel})
	accept := func(full error, ids ...byte) ([]inbox.Outcome, error) {
		t.Helper()
		op := newAcceptance(ch, len(ids))
		for i, id := range ids {
			op.events[i] = newEvent{event.ID{id}, []byte("record")}
		}
		tx := &transaction{
			Batch: db.NewBatch(), reader: db, now: at(0), full: full, store: s,
			accepted: make(map[duplicateID]struct{}), appended: make(map[*channel][]encodedEvent), changed: make(map[*channel]struct{}),
		}
		err := op.apply(tx)
		if err != nil && (!tx.Empty() || len(tx.accepted) > 0 || len(tx.appended) > 0) {
			t.Errorf("a refused batch left %d events, %d ids", len(tx.appended), len(tx.accepted))
		}
		return op.outcomes, errors.Join(err, tx.Commit(nil))
	}
	if outcomes, err := accept(nil, 1, 1); err != nil || outcomes[0] != inbox.Stored || outcomes[1] != inbox.Duplicate {
		t.Fatalf("%v, %v", outcomes, err)
	}
	if _, err := accept(inbox.ErrFull, 1, 2, 3); !errors.Is(err, inbox.ErrFull) {
		t.Errorf("a batch with new events: %v, want ErrFull", err)
	}
	if outcomes, err := accept(inbox.ErrFull, 1, 1); err != nil || outcomes[0] != inbox.Duplicate {
		t.Errorf("a batch without a new event: %v, %v", outcomes, err)
	}
	outcomes, err := accept(nil, 1, 2, 3)
	if diff := cmp.Diff([]inbox.Outcome{inbox.Duplicate, inbox.Stored, inbox.Stored}, outcomes); diff != "" || err != nil {
		t.Errorf("once there is room: %v (-want +got):\n%s", err, diff)
	}
	if got := ch.last.Load(); got != 3 {
		t.Errorf("%d events are numbered, want 3", got)
	}
}

package pebble

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/go-logr/logr/testr"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// claimingRig is the claiming of one channel over a bare database, whose events are written directly. Nothing commits:
// the claiming's operations stay queued.
type claimingRig struct {
	*testing.T
	consumer
}

// frozen is a clock that stands still.
type frozen struct{}

func (frozen) Now() time.Time         { return time.Unix(0, 0) }
func (frozen) Elapsed() time.Duration { return 0 }

func newClaimingRig(t *testing.T, record layout.ChannelRecord) *claimingRig {
	t.Helper()
	record.Name = "chat/shop"
	s := &Inbox{
		db: openBare(t), log: testr.New(t), fatal: func(cause error) { t.Error(cause) },
		clock: clock{source: frozen{}, at: at(time.Hour)}, committer: newCommitter(1<<20, commitEnv{}),
	}
	t.Cleanup(func() {
		for _, op := range s.committer.queue {
			op.base().done <- nil
		}
		s.late.Wait()
	})
	return &claimingRig{t, consumer{store: s, channel: newChannel(record)}}
}

// put writes a durable event.
func (r *claimingRig) put(sequence uint64, conversation string, size int) {
	r.Helper()
	e := event.Event{ID: event.ID{byte(sequence)}, Conversation: conversation, Body: make([]byte, size)}
	record := layout.EventRecord{AcceptedAt: 1, Event: e}
	r.write(layout.EventKey(r.channel.key, sequence), record.Encode())
	r.channel.last.Store(sequence)
	r.channel.durable.Store(sequence)
}

func (r *claimingRig) write(key, value []byte) {
	r.Helper()
	if err := r.store.db.Set(key, value, pebble.NoSync); err != nil {
		r.Fatal(err)
	}
}

// track writes a lane's record and timer.
func (r *claimingRig) track(conversation string, record layout.LaneRecord) {
	r.Helper()
	lane := layout.LaneKeyOf(conversation)
	r.write(layout.LaneRecordKey(r.channel.key, lane), record.Encode())
	r.write(layout.TimerKey(r.channel.key, record.Due, lane), nil)
	r.channel.tracked.Add(1)
}

// claims are what one call claims, as lane and sequence.
func (r *claimingRig) claims(limit int) (got []string, wait time.Duration) {
	r.Helper()
	claims, wait, err := r.Claim(r.Context(), limit)
	if err != nil {
		r.Fatal(err)
	}
	for _, c := range claims {
		got = append(got, fmt.Sprint(c.Lane, c.Sequence))
	}
	return got, wait
}

func (r *claimingRig) expect(limit int, want ...string) {
	r.Helper()
	if got, _ := r.claims(limit); fmt.Sprint(got) != fmt.Sprint(want) {
		r.Errorf("claimed %v, want %v", got, want)
	}
}

// settled is what a taken verdict leaves of a claim.
func (r *claimingRig) settled(lane string, sequence uint64) {
	r.Helper()
	if err := r.store.db.Delete(layout.EventKey(r.channel.key, sequence), pebble.NoSync); err != nil {
		r.Fatal(err)
	}
	claim := inbox.Claim{Lane: lane, Sequence: sequence}
	op := &settlement{channel: r.channel, lane: layout.LaneKeyOf(lane), claim: claim, verdict: inbox.Taken{}}
	l, err := op.begin()
	if err != nil {
		r.Fatal(err)
	}
	op.end(l, nil)
}

// TestClaimsAreHeads: one event of a lane, in the order of their acceptance.
func TestClaimsAreHeads(t *testing.T) {
	r := newClaimingRig(t, layout.ChannelRecord{})
	for sequence, lane := range []string{1: "a", 2: "a", 3: "b", 4: "a", 5: "c"} {
		if lane != "" {
			r.put(uint64(sequence), lane, 1)
		}
	}
	r.expect(10, "a1", "b3", "c5")
	r.expect(10)
	r.settled("a", 1)
	r.expect(10, "a2")
	r.settled("b", 3)
	r.expect(10)
}

// TestSourcesTakeTurns: each of the three is first in one call of three.
func TestSourcesTakeTurns(t *testing.T) {
	r := newClaimingRig(t, layout.ChannelRecord{Low: 1, Cursor: 2})
	r.put(1, "due", 1)
	r.put(2, "a", 1)
	r.put(3, "a", 1)
	r.put(4, "b", 1)
	r.put(5, "c", 1)
	r.track("due", layout.LaneRecord{Head: 1, Attempts: 2, Due: at(time.Minute)})
	r.channel.firstSource = 2
	r.expect(2, "a2", "b4")
	r.settled("a", 2)
	// Now a lane has a successor, another one is due, and an event is fresh.
	r.expect(1, "a3")
	r.expect(1, "due1")
	r.expect(1, "c5")
}

// TestLargeClaimsComeInParts, and the rest is announced.
func TestLargeClaimsComeInParts(t *testing.T) {
	r := newClaimingRig(t, layout.ChannelRecord{})
	for sequence := range uint64(6) {
		r.put(sequence+1, fmt.Sprint("lane-", sequence), claimBytes/2)
	}
	for _, want := range []int{2, 2, 2, 0} {
		if got, _ := r.claims(10); len(got) != want {
			t.Errorf("claimed %v, want %d", got, want)
		}
		if want > 0 {
			<-r.channel.ready
		}
	}
}

// TestACrowdIsParked: a lane behind which too much waits becomes tracked, its rest is queued for the disk once, and the
// claiming rests meanwhile.
func TestACrowdIsParked(t *testing.T) {
	r := newClaimingRig(t, layout.ChannelRecord{})
	for sequence := range uint64(maxWaiting + 3) {
		r.put(sequence+1, "crowd", 1)
	}
	_, wait := r.claims(10)
	if wait != 0 || r.channel.parking != 1 || len(r.store.committer.queue) != 1 {
		t.Fatalf("wait %v, parking from %d, %d operations", wait, r.channel.parking, len(r.store.committer.queue))
	}
	op := r.store.committer.queue[0].(*parking)
	if got := len(op.groups[0].sequences); got != maxWaiting+2 {
		t.Errorf("%d events are parked, want %d", got, maxWaiting+2)
	}
	r.put(maxWaiting+4, "other", 1)
	r.expect(10)
	if got := r.channel.resumeFrom(); got != 1 {
		t.Errorf("a restart would begin at %d", got)
	}
	op.done <- nil
	r.store.late.Wait()
	r.expect(10, fmt.Sprint("other", maxWaiting+4))
	if len(r.store.committer.queue) != 1 {
		t.Error("the same events were parked twice")
	}
}

// TestAHeadIsNotMetTwice: after a restart a lane's record and the cursor lead to the same event.
func TestAHeadIsNotMetTwice(t *testing.T) {
	r := newClaimingRig(t, layout.ChannelRecord{Last: 2})
	r.put(1, "a", 1)
	r.put(2, "a", 1)
	r.track("a", layout.LaneRecord{Head: 1, Attempts: 1, Due: at(time.Minute)})
	r.expect(10, "a1")
	r.expect(10)
}

// TestWhereARestartReads: what only memory knows of holds the mark.
func TestWhereARestartReads(t *testing.T) {
	for name, tt := range map[string]struct {
		lane    lane
		parking uint64
		want    uint64
	}{
		"nothing":                       {lane{}, 0, 20},
		"a claim":                       {lane{claimed: true, head: 7}, 0, 7},
		"what waits behind it":          {lane{claimed: true, head: 7, waiting: []uint64{5, 9}}, 0, 5},
		"a claim of a tracked lane":     {lane{claimed: true, head: 7, tracked: true}, 0, 20},
		"what a tracked lane lacks":     {lane{head: 7, tracked: true, waiting: []uint64{9}}, 0, 9},
		"what is being parked":          {lane{claimed: true, head: 7, tracked: true, parking: true}, 6, 6},
		"a claim before what is parked": {lane{claimed: true, head: 4}, 6, 4},
	} {
		ch := newChannel(layout.ChannelRecord{Cursor: 20})
		ch.lanes[layout.LaneKey{}], ch.parking = &tt.lane, tt.parking
		if got := ch.resumeFrom(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// TestHowLongUntilMore is what a claim says that did not find all that it may.
func TestHowLongUntilMore(t *testing.T) {
	const now = layout.Instant(100)
	for name, tt := range map[string]struct {
		state *claimingState
		want  time.Duration
	}{
		"no timer":            {&claimingState{nextTimer: layout.Never}, inbox.Never},
		"a timer":             {&claimingState{nextTimer: 130}, 30},
		"a timer that is due": {&claimingState{nextTimer: 70}, 0},
		"parking":             {&claimingState{nextTimer: 130, parking: 1}, 0},
		"parking failed":      {&claimingState{nextTimer: 130, unparked: []*lane{{}}, parkFrom: 110}, 10},
		"a timer before that": {&claimingState{nextTimer: 105, unparked: []*lane{{}}, parkFrom: 110}, 5},
	} {
		ch := newChannel(layout.ChannelRecord{})
		ch.nextTimer, ch.parking, ch.unparked, ch.parkFrom = tt.state.nextTimer, tt.state.parking, tt.state.unparked, tt.state.parkFrom
		if got := ch.wait(now); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestAClaimIsHeldOnce: by its lane, its event, and until its end.
func TestAClaimIsHeldOnce(t *testing.T) {
	r := newClaimingRig(t, layout.ChannelRecord{})
	r.put(1, "a", 1)
	claims, _, err := r.Claim(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	held := claims[0]
	for name, c := range map[string]inbox.Claim{
		"another lane": {Lane: "b", Sequence: held.Sequence}, "another event": {Lane: "a", Sequence: held.Sequence + 1},
	} {
		if err := r.Renew(t.Context(), &c); !errors.Is(err, inbox.ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.Renew(t.Context(), &held); err != nil {
		t.Error(err)
	}
	op := &settlement{channel: r.channel, lane: layout.LaneKeyOf(held.Lane), claim: held, verdict: inbox.Taken{}}
	l, err := op.begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Renew(t.Context(), &held); !errors.Is(err, inbox.ErrLost) {
		t.Errorf("while it is being settled: %v", err)
	}
	op.end(l, errors.New("disk"))
	if err := r.Renew(t.Context(), &held); err != nil {
		t.Errorf("after that failed: %v", err)
	}
}

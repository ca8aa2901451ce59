package traffic

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/report"
)

// TestMerge joins two replicas of one channel.
func TestMerge(t *testing.T) {
	full := report.Inbox{State: report.InboxFull, Since: ago(time.Hour), Error: "full"}
	a := report.Report{Began: ago(3 * time.Hour), Inbox: report.Inbox{State: report.InboxOK, FullInSeconds: 9}, Channels: []report.Channel{{
		Name: "chat/shop", LastAuthentic: ago(time.Minute), LastEvent: ago(time.Hour),
		APIKeys: []report.Key{{Name: "first", LastUsed: ago(time.Hour)}},
		Signature: report.Signature{
			Mode: "Enforce", Keys: []report.Key{{Name: "k", ID: "k1"}}, Failed: 3, FailingSince: ago(time.Hour), LastFailed: ago(time.Minute),
		},
		Delivery:    report.Delivery{Pending: 3, OldestPendingSeconds: 9},
		DeadLetters: report.DeadLetters{Count: 1, LatestReason: "expired", LatestAt: ago(time.Hour)},
	}}}
	b := report.Report{Began: ago(time.Hour), Inbox: full, Channels: []report.Channel{{Name: "chat/other"}, {
		Name: "chat/shop", LastAuthentic: ago(time.Hour), LastEvent: ago(time.Minute),
		APIKeys: []report.Key{{Name: "first", LastUsed: ago(time.Minute)}, {Name: "next"}},
		Signature: report.Signature{
			Mode: "Enforce", Keys: []report.Key{{Name: "k", ID: "k2"}}, Failed: 4, FailingSince: ago(time.Minute), LastFailed: ago(time.Second),
			Awaiting: true,
		},
		Delivery:    report.Delivery{Pending: 4, FailingSince: ago(time.Hour), LastError: "refused", LastTaken: ago(2 * time.Hour)},
		DeadLetters: report.DeadLetters{Count: 2, LatestReason: "refused", LatestAt: ago(time.Minute)},
	}}}
	want := Picture{Began: ago(time.Hour), Inbox: full, Channel: report.Channel{
		Name: "chat/shop", LastAuthentic: ago(time.Minute), LastEvent: ago(time.Minute),
		APIKeys: []report.Key{{Name: "first", LastUsed: ago(time.Minute)}, {Name: "next"}},
		Signature: report.Signature{
			Mode: "Enforce", Keys: []report.Key{{Name: "k", ID: "k1"}, {Name: "k", ID: "k2"}},
			Failed: 7, FailingSince: ago(time.Hour), LastFailed: ago(time.Second), Awaiting: true,
		},
		Delivery: report.Delivery{
			Pending: 7, OldestPendingSeconds: 9, FailingSince: ago(time.Hour), LastError: "refused", LastTaken: ago(2 * time.Hour),
		},
		DeadLetters: report.DeadLetters{Count: 3, LatestReason: "refused", LatestAt: ago(time.Minute)},
	}}
	got, ok := merge([]report.Report{a, b}, "chat/shop")
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("%v (-want +got):\n%s", ok, diff)
	}
	if got, ok := merge([]report.Report{a, b}, "chat/none"); ok {
		t.Errorf("nobody knows the channel, and there is a picture: %+v", got)
	}
}

// TestWorse takes the inbox that is worse off, in either order.
func TestWorse(t *testing.T) {
	fine, filling, soon := report.Inbox{State: report.InboxOK},
		report.Inbox{State: report.InboxOK, FullInSeconds: 90}, report.Inbox{State: report.InboxOK, FullInSeconds: 10}
	full := report.Inbox{State: report.InboxFull, Since: ago(time.Hour)}
	fuller := report.Inbox{State: report.InboxFull, Since: ago(2 * time.Hour)}
	failing := report.Inbox{State: report.InboxFailing, Since: ago(time.Minute)}
	for _, c := range []struct{ better, worse report.Inbox }{
		{fine, filling}, {filling, soon}, {soon, full}, {full, fuller}, {fuller, failing}, {fine, failing},
	} {
		for _, got := range []report.Inbox{worse(c.better, c.worse), worse(c.worse, c.better)} {
			if got != c.worse {
				t.Errorf("of %+v and %+v it takes %+v", c.better, c.worse, got)
			}
		}
	}
}

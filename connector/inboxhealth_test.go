package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/report"
)

// fakeStore is the part of an inbox that its health is judged by.
type fakeStore struct {
	inbox.Inbox
	outcome   inbox.Outcome
	takes     time.Duration
	err, room error
	// failing says that a try fails.
	failing atomic.Bool
	// used grows with the minutes since began.
	used  func(minute int) int64
	began time.Time
}

func (f *fakeStore) Accept(context.Context, []event.Event) ([]inbox.Outcome, error) {
	<-time.After(f.takes)
	if f.err != nil {
		return nil, f.err
	}
	return []inbox.Outcome{f.outcome}, nil
}

func (f *fakeStore) Room() error { return f.room }

var errTry = errors.New("still: input/output error")

func (f *fakeStore) Try(context.Context) error {
	if f.failing.Load() {
		return errTry
	}
	return nil
}

func (f *fakeStore) Usage() (used, limit int64) {
	return f.used(int(time.Since(f.began) / time.Minute)), 1000
}

func empty(int) int64 { return 0 }

func inHealth(t *testing.T, test func(f *fakeStore, h *inboxHealth)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		f := &fakeStore{outcome: inbox.Stored, used: empty}
		test(f, newInboxHealth(f))
	})
}

// TestInboxState goes through outcomes, ten seconds apart.
func TestInboxState(t *testing.T) {
	type step struct {
		outcome   inbox.Outcome // of a call; none without one
		err, room error
		want      report.InboxState
		since     int // the number of the step, from 1 on
		error     string
	}
	disk, commit := fmt.Errorf("%w: none is left", inbox.ErrDiskFull), errors.New("commit: input/output error")
	full, failing := report.InboxFull, report.InboxFailing
	for name, steps := range map[string][]step{
		"well": {{want: report.InboxOK}, {outcome: inbox.Stored, want: report.InboxOK}},
		"full": {
			{err: inbox.ErrFull, room: inbox.ErrFull, want: full, since: 1, error: "inbox is full"},
			{room: inbox.ErrFull, want: full, since: 1, error: "inbox is full"}, {want: report.InboxOK},
		},
		"duplicate": {
			{err: inbox.ErrFull, room: inbox.ErrFull, want: full, since: 1, error: "inbox is full"},
			{outcome: inbox.Duplicate, room: inbox.ErrFull, want: full, since: 1, error: "inbox is full"},
		},
		"disk": {
			{outcome: inbox.Stored, want: report.InboxOK},
			{err: disk, room: disk, want: full, since: 2, error: "the inbox's disk is full: none is left"},
		},
		"no call": {{room: inbox.ErrFull, want: full, since: 1, error: "inbox is full"}, {want: report.InboxOK}},
		"failing": {
			{err: commit, want: failing, since: 1, error: commit.Error()},
			{want: failing, since: 1, error: commit.Error()}, {outcome: inbox.Stored, want: report.InboxOK},
		},
		"retried": {{err: commit, want: failing, since: 1, error: commit.Error()}, {outcome: inbox.Duplicate, want: report.InboxOK}},
		"failing, then full": {
			{err: commit, want: failing, since: 1, error: commit.Error()},
			{err: inbox.ErrFull, room: inbox.ErrFull, want: full, since: 2, error: "inbox is full"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inHealth(t, func(f *fakeStore, h *inboxHealth) {
				began := time.Now()
				for i, s := range steps {
					f.outcome, f.err, f.room = s.outcome, s.err, s.room
					if s.outcome != 0 || s.err != nil {
						outcomes, err := h.Accept(t.Context(), make([]event.Event, 1))
						if !errors.Is(err, s.err) || err == nil && outcomes[0] != s.outcome {
							t.Errorf("step %d: %v, %v", i+1, outcomes, err)
						}
					}
					want := report.Inbox{State: s.want, Error: s.error, LimitBytes: 1000}
					if s.since > 0 {
						want.Since = began.Add(time.Duration(s.since-1) * 10 * time.Second).UTC()
					}
					if diff := cmp.Diff(want, h.report()); diff != "" {
						t.Errorf("step %d (-want +got):\n%s", i+1, diff)
					}
					<-time.After(10 * time.Second)
				}
			})
		})
	}
}

// TestLate: a write that had its time says something of the disk, and one whose body came late says nothing.
func TestLate(t *testing.T) {
	for takes, want := range map[time.Duration]report.InboxState{
		10 * time.Millisecond: report.InboxOK, fairTime: report.InboxFailing, 1800 * time.Millisecond: report.InboxFailing,
	} {
		inHealth(t, func(f *fakeStore, h *inboxHealth) {
			f.outcome, f.takes, f.err = 0, takes, fmt.Errorf("commit: %w", context.DeadlineExceeded)
			_, _ = h.Accept(t.Context(), make([]event.Event, 1))
			if got := h.report().State; got != want {
				t.Errorf("after %s: %s", takes, got)
			}
		})
	}
}

func TestALongErrorIsCut(t *testing.T) {
	inHealth(t, func(f *fakeStore, h *inboxHealth) {
		f.outcome, f.err = 0, errors.New(strings.Repeat("a", 10_000))
		_, _ = h.Accept(t.Context(), make([]event.Event, 1))
		if got := len(h.report().Error); got != maxErrorSize {
			t.Errorf("%d bytes", got)
		}
	})
}

// TestFullIn has the inbox grow at a rate.
func TestFullIn(t *testing.T) {
	for name, tt := range map[string]struct {
		used  func(minute int) int64
		after time.Duration
		want  float64
	}{
		"at once":     {func(int) int64 { return 100 }, 0, 0},
		"soon":        {func(m int) int64 { return 100 + 10*int64(m) }, 30 * time.Second, 0},
		"growing":     {func(m int) int64 { return 100 + 10*int64(m) }, 5 * time.Minute, 60 * 85},
		"constant":    {func(int) int64 { return 100 }, 20 * time.Minute, 0},
		"shrinking":   {func(m int) int64 { return 900 - 10*int64(m) }, 20 * time.Minute, 0},
		"full":        {func(m int) int64 { return 500 + 100*int64(m) }, 5 * time.Minute, 0},
		"a burst ago": {func(m int) int64 { return 100 + 10*min(int64(m), 5) }, 30 * time.Minute, 0},
		"since long":  {func(m int) int64 { return 100 + int64(m) }, 100 * time.Minute, 60 * 800},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeStore{outcome: inbox.Stored, used: tt.used, began: time.Now()}
				h := newInboxHealth(f)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- h.watch(ctx) }()
				<-time.After(tt.after)
				synctest.Wait()
				if got := h.report().FullInSeconds; got != tt.want {
					t.Errorf("%v s, want %v", got, tt.want)
				}
				if len(h.usages) > usageSamples {
					t.Errorf("%d samples", len(h.usages))
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestARoomThatComesBackIsSeen without a call and without a report.
func TestARoomThatComesBackIsSeen(t *testing.T) {
	inHealth(t, func(f *fakeStore, h *inboxHealth) {
		f.outcome, f.err, f.room = 0, inbox.ErrFull, inbox.ErrFull
		_, _ = h.Accept(t.Context(), make([]event.Event, 1))
		f.room = nil
		h.sample()
		if h.state != report.InboxOK {
			t.Errorf("still %s", h.state)
		}
	})
}

// TestAFailingInboxIsTried: it may be long until the next call.
func TestAFailingInboxIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStore{outcome: inbox.Stored, used: empty}
		h := newInboxHealth(f)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		f.err = errors.New("commit: input/output error")
		f.failing.Store(true)
		go func() { ended <- h.watch(ctx) }()
		_, _ = h.Accept(ctx, make([]event.Event, 1))
		began := time.Now()
		<-time.After(tryInterval + time.Second)
		if got := h.report(); got.State != report.InboxFailing || !got.Since.Equal(began) || got.Error != errTry.Error() {
			t.Errorf("the disk fails on: %+v", got)
		}
		f.failing.Store(false)
		<-time.After(tryInterval)
		if got := h.report(); got.State != report.InboxOK {
			t.Errorf("the disk is well again: %+v", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

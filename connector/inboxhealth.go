package connector

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/report"
)

const (
	// usageInterval and usageSamples make a window of ten minutes: longer than the store takes to give deleted events'
	// space back, short enough to follow a sink that stops.
	usageInterval = time.Minute
	usageSamples  = 11
	// tryInterval is how often a failing inbox is tried, for tryTimeout: it may be long until the next call, and the
	// disk well before that.
	tryInterval = 10 * time.Second
	tryTimeout  = 2 * time.Second
	// fairTime is what a write must have had before its failure to be in time is the disk's.
	fairTime = time.Second
	// maxErrorSize bounds the text of an error in a report, in bytes.
	maxErrorSize = 512
)

// usage is the inbox's size at a moment.
type usage struct {
	at    time.Time
	bytes int64
}

// inboxHealth is the way into an inbox, which notes whether events are stored.
type inboxHealth struct {
	inbox inbox.Inbox

	mu    sync.Mutex
	state report.InboxState
	since time.Time
	err   string
	// usages are the latest, the oldest one first.
	usages []usage
}

func newInboxHealth(in inbox.Inbox) *inboxHealth {
	return &inboxHealth{inbox: in, state: report.InboxOK}
}

// Accept implements inbox.Accepter.
func (h *inboxHealth) Accept(ctx context.Context, batch []event.Event) ([]inbox.Outcome, error) {
	begun := time.Now()
	outcomes, err := h.inbox.Accept(ctx, batch)
	h.mu.Lock()
	defer h.mu.Unlock()
	known := err == nil && h.state == report.InboxFull && !slices.Contains(outcomes, inbox.Stored) // by a full inbox too
	late := errors.Is(err, context.DeadlineExceeded) && time.Since(begun) < fairTime               // by the body, not the disk
	if !known && !late {
		h.note(err)
	}
	return outcomes, err
}

// note notes how a write ended. The caller holds mu.
func (h *inboxHealth) note(err error) {
	switch {
	case err == nil:
		h.turn(report.InboxOK, nil)
	case errors.Is(err, inbox.ErrFull), errors.Is(err, inbox.ErrDiskFull):
		h.turn(report.InboxFull, err)
	case errors.Is(err, context.DeadlineExceeded):
		h.turn(report.InboxFailing, errors.New("an event was not stored in time: the disk does not keep up, or hangs"))
	default:
		h.turn(report.InboxFailing, err)
	}
}

// try tries a failing inbox.
func (h *inboxHealth) try(ctx context.Context) {
	h.mu.Lock()
	failing := h.state == report.InboxFailing
	h.mu.Unlock()
	if !failing {
		return
	}
	within, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	err := h.inbox.Try(within)
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() == nil && h.state == report.InboxFailing {
		h.note(err)
	}
}

// look notes whether there is room: without a call, nothing else would tell.
func (h *inboxHealth) look() {
	switch err := h.inbox.Room(); {
	case err != nil:
		h.turn(report.InboxFull, err)
	case h.state == report.InboxFull:
		h.turn(report.InboxOK, nil)
	}
}

// turn notes how the inbox is now. The caller holds mu.
func (h *inboxHealth) turn(state report.InboxState, err error) {
	h.err = ""
	if err != nil {
		h.err = cut(err.Error(), maxErrorSize)
	}
	if state == h.state {
		return
	}
	h.state, h.since = state, time.Now()
	if state == report.InboxOK {
		h.since = time.Time{}
	}
}

// watch samples the inbox, and tries it while it fails, until ctx ends.
func (h *inboxHealth) watch(ctx context.Context) error {
	sample, try := time.NewTicker(usageInterval), time.NewTicker(tryInterval)
	defer sample.Stop()
	defer try.Stop()
	h.sample()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sample.C:
			h.sample()
		case <-try.C:
			h.try(ctx)
		}
	}
}

func (h *inboxHealth) sample() {
	used, _ := inbox.Usage(h.inbox)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.look()
	h.usages = append(h.usages, usage{time.Now(), used})
	h.usages = h.usages[max(len(h.usages)-usageSamples, 0):]
}

// report describes the inbox now.
func (h *inboxHealth) report() report.Inbox {
	used, limit := inbox.Usage(h.inbox)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.look()
	return report.Inbox{
		State: h.state, Since: h.since.UTC(), Error: h.err, UsedBytes: used, LimitBytes: limit,
		FullInSeconds: h.fullIn(used, limit).Seconds(),
	}
}

// fullIn is how long the space lasts if it is used as in the window; zero while it does not shrink, and until there is
// a sample that is old enough. The caller holds mu.
func (h *inboxHealth) fullIn(used, limit int64) time.Duration {
	if len(h.usages) == 0 {
		return 0
	}
	first := h.usages[0]
	span, grown := time.Since(first.at), used-first.bytes
	if span < usageInterval || grown <= 0 || used >= limit {
		return 0
	}
	// In floating point: the product may be larger than a duration.
	seconds := float64(limit-used) / float64(grown) * span.Seconds()
	return time.Duration(min(seconds, longest.Seconds()) * float64(time.Second))
}

// longest is as good as never.
const longest = 365 * 24 * time.Hour

package examine

import (
	"context"
	"errors"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// Exported is an event that a stopped store holds.
type Exported struct {
	// Dead: the event was given up; else it is pending, and Reason and DiedAt
	// are empty.
	Dead bool
	inbox.DeadLetter
}

// Export yields every event that the stopped store at path holds and that can
// be read, also from damaged files: first the pending ones, channel by channel
// in the order of their acceptance, then the dead letters, the oldest of each
// channel first. An event's body is only valid until yield returns.
//
// The folder is not changed. Damage is reported to observe and read around, also
// where it hits only what is not exported, such as the ids. The error is yield's or
// the context's, or says why nothing could be read, such as ErrInUse.
func Export(ctx context.Context, path string, observe Observer, yield func(Exported) error) (channels []ChannelSummary, err error) {
	opened, err := openStopped(ctx, path, observe)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, opened.close()) }()
	s := newSurvey(opened)
	if err := errors.Join(s.readChannels(), s.readLanes(func(*surveyed, []byte, layout.LaneRecord) error { return nil })); err != nil {
		return nil, err
	}
	err = s.readEvents(func(c *surveyed, sequence uint64, record layout.EventRecord) error {
		return yield(Exported{DeadLetter: inbox.DeadLetter{
			Event: record.Event, AcceptedAt: record.AcceptedTime,
			Attempts: s.attempts[head{layout.ChannelKeyOf(c.Channel), sequence}],
		}})
	})
	if err == nil {
		err = s.readDeadLetters(func(entry layout.DeadEntry) error { return yield(Exported{Dead: true, DeadLetter: entry.Letter}) })
	}
	if err == nil {
		s.compareCounts()
		err = errors.Join(s.readRest(), s.verifyTables())
	}
	return s.summaries(), err
}

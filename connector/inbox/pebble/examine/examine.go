// Package examine reads the store of a stopped connector. Check says what is wrong, and Export saves the readable
// events.
//
// It never changes the folder. It reads through Pebble until the first damage, then tables and logs directly.
package examine

import (
	"context"
	"errors"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// ErrInUse means that a running connector has the store open.
var ErrInUse = errors.New("a connector uses this inbox; stop the connector first")

// Observer is told about an examination. Both functions are required and called one at a time.
type Observer struct {
	// Finding is called for each problem.
	Finding func(Finding)
	// Progress is called now and then with the number of records read so far.
	Progress func(records int)
}

// Finding is one problem of a store.
type Finding struct {
	Where   string `json:"where"`
	What    string `json:"what"`
	Meaning string `json:"meaning"`
	Remedy  string `json:"remedy"`
}

// The remedies of findings.
const (
	remedyReplace = "save the events with \"connector inbox export\", move the folder away, and start the connector with an empty one"
	remedyReport  = "if it comes back after a start of the connector, " + remedyReplace
)

// ChannelSummary counts one channel's records in a stopped store.
type ChannelSummary struct {
	Channel           string `json:"channel"`
	Pending           int64  `json:"pending"`
	DeadLetters       int64  `json:"deadLetters"`
	DeduplicationKeys int64  `json:"deduplicationKeys"`
	// OldestPending and NewestPending are when the first and the last pending event were accepted; else zero.
	OldestPending time.Time `json:"oldestPending,omitzero"`
	NewestPending time.Time `json:"newestPending,omitzero"`
}

// Exported is an event that a stopped store holds.
type Exported struct {
	// Dead: the event was given up; else it is pending, and Reason and DiedAt are empty.
	Dead bool
	inbox.DeadLetter
}

// Check reads the whole stopped store at path, every checksum in it included, and compares its records with the
// promises of package pebble. It reports problems to observe; without one the store is sound. The folder is not
// changed.
//
// The error is the context's, or says why nothing could be read, such as ErrInUse.
func Check(ctx context.Context, path string, observe Observer) ([]ChannelSummary, error) {
	return examine(ctx, path, observe, nil, func(s *survey) []func() {
		return []func(){
			s.schema, s.clock, s.readChannels, s.duplicates, s.lanes, s.events, s.timers, s.pointers, s.deadLetters, s.unknown,
			s.tables, s.compareCounts,
		}
	})
}

// Export yields every readable event of the stopped store at path, also from damaged files: first the pending ones,
// channel by channel in the order of their acceptance, then the dead letters, the oldest of each channel first. An
// event's body is only valid until yield returns.
//
// The folder is not changed. Damage is reported to observe and read around, also to records that are not exported. The
// error is yield's or the context's, or says why nothing could be read, such as ErrInUse.
func Export(ctx context.Context, path string, observe Observer, yield func(Exported) error) ([]ChannelSummary, error) {
	return examine(ctx, path, observe, yield, func(s *survey) []func() {
		return []func(){s.readChannels, s.lanes, s.events, s.deadLetters, s.compareCounts, s.clock, s.rest, s.tables}
	})
}

// examine opens a stopped store and reads it in steps. After an error, the further steps do nothing.
func examine(
	ctx context.Context, path string, observe Observer, yield func(Exported) error, steps func(*survey) []func(),
) ([]ChannelSummary, error) {
	opened, err := openStopped(ctx, path, observe)
	if err != nil {
		return nil, err
	}
	s := &survey{
		stopped: opened, yield: yield, channels: make(map[layout.ChannelKey]*surveyed), attempts: make(map[head]int),
	}
	for _, step := range steps(s) {
		step()
	}
	return s.summaries(), errors.Join(s.err, opened.close())
}

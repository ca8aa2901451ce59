package inbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ChannelStats describe one channel at a moment.
type ChannelStats struct {
	// Name is the channel's.
	Name string
	Stats
}

// Described is the part of an Inbox that Present reads.
type Described interface {
	Channels() []string
	Stats(ctx context.Context, channel string) (Stats, error)
}

// Present describes the channels that are configured or still hold an event, sorted by
// name. The keys of configured are names. A channel that is no longer configured is
// left out once it holds nothing, or it would be shown for ever. A channel that cannot
// be read is left out too, with an error.
func Present[V any](ctx context.Context, in Described, configured map[string]V) (present []ChannelStats, err error) {
	names := slices.AppendSeq(in.Channels(), maps.Keys(configured))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		_, stays := configured[name]
		stats, failed := in.Stats(ctx, name)
		switch {
		case failed != nil:
			err = errors.Join(err, fmt.Errorf("channel %q: %w", name, failed))
		case stats.Pending > 0 || stats.DeadLetters > 0 || stays:
			present = append(present, ChannelStats{name, stats})
		}
	}
	return present, err
}

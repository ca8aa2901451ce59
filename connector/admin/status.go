package admin

import (
	"context"
	"net/http"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/delivery"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

func (c Connector) status(w http.ResponseWriter, r *http.Request) {
	current := c.Config()
	status := Status{ConfigDigest: current.Digest(), Channels: []ChannelStatus{}}
	status.InboxUsedBytes, status.InboxLimitBytes = inbox.Usage(c.Inbox)
	configured := byName(current.Channels)
	status.RefusedWithoutChannel = c.Metrics.Of("").Refused.Sum("")
	for _, name := range c.names(current.Channels) {
		row, err := c.channelStatus(r.Context(), name)
		if err != nil {
			c.Log.Error(err, "The inbox cannot be read for a status", "channel", name)
			answerError(w, http.StatusInternalServerError, "the inbox cannot be read: "+err.Error())
			return
		}
		if channel, ok := configured[name]; ok {
			row.Configured, row.Paused = true, channel.Delivery.Paused
		} else if row.Pending == 0 && row.DeadLetters == 0 {
			continue // the inbox still knows its name, and nobody needs to
		}
		status.Channels = append(status.Channels, row)
	}
	answer(w, http.StatusOK, status)
}

func byName(channels []config.Channel) map[string]*config.Channel {
	named := make(map[string]*config.Channel, len(channels))
	for i := range channels {
		named[channels[i].Name] = &channels[i]
	}
	return named
}

// names returns every channel that is configured or that the inbox knows.
func (c Connector) names(channels []config.Channel) []string {
	names := c.Inbox.Channels()
	for i := range channels {
		names = append(names, channels[i].Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// inUse returns the names of the channels that a status shows.
func (c Connector) inUse(ctx context.Context, channels []config.Channel) []string {
	configured := byName(channels)
	return slices.DeleteFunc(c.names(channels), func(name string) bool {
		stats, err := c.Inbox.Stats(ctx, name)
		return configured[name] == nil && err == nil && stats.Pending == 0 && stats.DeadLetters == 0
	})
}

func (c Connector) channelStatus(ctx context.Context, name string) (ChannelStatus, error) {
	stats, err := c.Inbox.Stats(ctx, name)
	if err != nil {
		return ChannelStatus{}, err
	}
	delivering, counted := c.Delivery(name), c.Metrics.Of(name)
	row := ChannelStatus{
		Name:           name,
		Pending:        stats.Pending,
		DeadLetters:    stats.DeadLetters,
		Accepted:       counted.Accepted.Load(),
		Duplicates:     counted.Duplicates.Load(),
		Ignored:        counted.Ignored.Sum(""),
		Refused:        counted.Refused.Sum(""),
		Stale:          counted.Refused.Of(telemetry.ReasonStale),
		AuditFailures:  counted.AuditFailures.Sum(""),
		Taken:          counted.Attempts.Of(delivery.ResultTaken),
		FailedAttempts: counted.Attempts.Sum(delivery.ResultTaken),
		InFlight:       delivering.InFlight,
		LastError:      delivering.LastError,
		LastErrorAt:    delivering.LastErrorAt,
		LastTakenAt:    delivering.LastTakenAt,
		NextProbeAt:    delivering.NextProbe,

		OldestPendingSeconds: stats.OldestPendingAge.Seconds(),
	}
	return row, nil
}

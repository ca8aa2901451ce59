package admin

import (
	"fmt"
	"net/http"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/delivery"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

func (c Connector) status(r *http.Request) (any, error) {
	current := c.Config()
	status := Status{ConfigDigest: current.Digest(), Channels: []ChannelStatus{}}
	status.InboxUsedBytes, status.InboxLimitBytes = inbox.Usage(c.Inbox)
	status.RefusedWithoutChannel = c.Metrics.Of("").Refused.Sum("")
	configured := byName(current.Channels)
	present, err := inbox.Present(r.Context(), c.Inbox, configured)
	if err != nil {
		c.Log.Error(err, "The inbox cannot be read for a status")
		return nil, fmt.Errorf("the inbox cannot be read: %w", err)
	}
	for _, stored := range present {
		row := c.channelStatus(stored)
		if channel, ok := configured[stored.Name]; ok {
			row.Configured, row.Paused = true, channel.Delivery.Paused
		}
		status.Channels = append(status.Channels, row)
	}
	return status, nil
}

func byName(channels []config.Channel) map[string]*config.Channel {
	named := make(map[string]*config.Channel, len(channels))
	for i := range channels {
		named[channels[i].Name] = &channels[i]
	}
	return named
}

func (c Connector) channelStatus(stored inbox.ChannelStats) ChannelStatus {
	delivering, counted := c.Delivery(stored.Name), c.Metrics.Of(stored.Name)
	return ChannelStatus{
		Name:           stored.Name,
		Pending:        stored.Pending,
		DeadLetters:    stored.DeadLetters,
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

		OldestPendingSeconds: stored.OldestPendingAge.Seconds(),
	}
}

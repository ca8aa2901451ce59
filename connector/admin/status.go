package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

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
	counts := c.counts()
	status.RefusedWithoutChannel = counts[""].refused
	for _, name := range c.names(current.Channels) {
		row, err := c.channelStatus(r.Context(), name, counts[name])
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

func (c Connector) channelStatus(ctx context.Context, name string, n counts) (ChannelStatus, error) {
	stats, err := c.Inbox.Stats(ctx, name)
	if err != nil {
		return ChannelStatus{}, err
	}
	delivering := c.Delivery(name)
	row := ChannelStatus{
		Name:           name,
		Pending:        stats.Pending,
		DeadLetters:    stats.DeadLetters,
		Accepted:       n.accepted,
		Duplicates:     n.duplicates,
		Ignored:        n.ignored,
		Refused:        n.refused,
		Stale:          n.stale,
		AuditFailures:  n.auditFailures,
		Taken:          n.taken,
		FailedAttempts: n.failed,
		InFlight:       delivering.InFlight,
		LastError:      delivering.LastError,
		LastErrorAt:    delivering.LastErrorAt,
		LastTakenAt:    delivering.LastTakenAt,
		NextProbeAt:    delivering.NextProbe,

		OldestPendingSeconds: stats.OldestPendingAge.Seconds(),
	}
	return row, nil
}

// counts are one channel's counters.
type counts struct{ accepted, duplicates, ignored, refused, stale, auditFailures, taken, failed int64 }

// counts reads the counters of all channels.
func (c Connector) counts() map[string]counts {
	all := map[string]counts{}
	add := func(vec *prometheus.CounterVec, label string, count func(n *counts, of string, value int64)) {
		each(vec, func(labels map[string]string, value int64) {
			n := all[labels["channel"]]
			count(&n, labels[label], value)
			all[labels["channel"]] = n
		})
	}
	add(c.Metrics.Accepted, "", func(n *counts, _ string, value int64) { n.accepted += value })
	add(c.Metrics.Duplicates, "", func(n *counts, _ string, value int64) { n.duplicates += value })
	add(c.Metrics.Ignored, "", func(n *counts, _ string, value int64) { n.ignored += value })
	add(c.Metrics.AuditFailures, "", func(n *counts, _ string, value int64) { n.auditFailures += value })
	add(c.Metrics.Refused, "reason", func(n *counts, reason string, value int64) {
		n.refused += value
		if reason == telemetry.ReasonStale {
			n.stale += value
		}
	})
	add(c.Metrics.Attempts, "result", func(n *counts, result string, value int64) {
		if result == delivery.ResultTaken {
			n.taken += value
		} else {
			n.failed += value
		}
	})
	return all
}

// each calls f with the labels and the value of every series of vec.
func each(vec *prometheus.CounterVec, f func(labels map[string]string, value int64)) {
	series := make(chan prometheus.Metric)
	go func() {
		defer close(series)
		vec.Collect(series)
	}()
	for metric := range series {
		var read dto.Metric
		if metric.Write(&read) != nil {
			continue // a counter of ours is always written
		}
		labels := make(map[string]string, len(read.GetLabel()))
		for _, label := range read.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		f(labels, int64(read.GetCounter().GetValue()))
	}
}

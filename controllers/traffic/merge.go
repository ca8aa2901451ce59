package traffic

import (
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/report"
)

// Picture is the traffic of one channel over all replicas.
type Picture struct {
	// Began is when the youngest process began.
	Began   time.Time
	Inbox   report.Inbox
	Channel report.Channel
}

// merge joins the reports of replicas about one channel; ok is false when none of
// them knows it.
func merge(reports []report.Report, channel string) (p Picture, ok bool) {
	for _, r := range reports {
		i := slices.IndexFunc(r.Channels, func(c report.Channel) bool { return c.Name == channel })
		switch {
		case i < 0:
			continue
		case !ok:
			p, ok = Picture{r.Began, r.Inbox, r.Channels[i]}, true
		default:
			p.Began = latest(p.Began, r.Began)
			p.Inbox = worse(p.Inbox, r.Inbox)
			p.Channel = join(p.Channel, r.Channels[i])
		}
	}
	return p, ok
}

// join merges what two replicas tell of a channel.
func join(a, b report.Channel) report.Channel {
	return report.Channel{
		Name:          a.Name,
		LastAuthentic: latest(a.LastAuthentic, b.LastAuthentic),
		LastEvent:     latest(a.LastEvent, b.LastEvent),
		APIKeys:       joinKeys(a.APIKeys, b.APIKeys),
		Signature:     joinSignatures(a.Signature, b.Signature),
		Delivery:      joinDeliveries(a.Delivery, b.Delivery),
		DeadLetters:   joinDeadLetters(a.DeadLetters, b.DeadLetters),
	}
}

// joinKeys takes the keys of both: replicas may have different configurations for a
// moment.
func joinKeys(a, b []report.Key) []report.Key {
	joined := slices.Clone(a)
	for _, key := range b {
		i := slices.IndexFunc(joined, func(k report.Key) bool { return k.Name == key.Name && k.ID == key.ID })
		if i < 0 {
			joined = append(joined, key)
			continue
		}
		joined[i].LastUsed = latest(joined[i].LastUsed, key.LastUsed)
	}
	return joined
}

func joinSignatures(a, b report.Signature) report.Signature {
	return report.Signature{
		Mode:         a.Mode,
		Keys:         joinKeys(a.Keys, b.Keys),
		Failed:       a.Failed + b.Failed,
		FailingSince: earliest(a.FailingSince, b.FailingSince),
		LastFailed:   latest(a.LastFailed, b.LastFailed),
	}
}

func joinDeliveries(a, b report.Delivery) report.Delivery {
	joined := report.Delivery{
		Paused:               a.Paused || b.Paused,
		Pending:              a.Pending + b.Pending,
		OldestPendingSeconds: max(a.OldestPendingSeconds, b.OldestPendingSeconds),
		FailingSince:         earliest(a.FailingSince, b.FailingSince),
		LastError:            a.LastError,
		LastTaken:            latest(a.LastTaken, b.LastTaken),
	}
	if joined.LastError == "" {
		joined.LastError = b.LastError
	}
	return joined
}

func joinDeadLetters(a, b report.DeadLetters) report.DeadLetters {
	joined := a
	if b.LatestAt.After(a.LatestAt) {
		joined = b
	}
	joined.Count = a.Count + b.Count
	return joined
}

// worse returns the inbox that is worse off.
func worse(a, b report.Inbox) report.Inbox {
	rank := map[report.InboxState]int{report.InboxFull: 1, report.InboxFailing: 2}
	switch {
	case rank[b.State] > rank[a.State]:
		return b
	case rank[b.State] < rank[a.State]:
		return a
	case a.State != report.InboxOK && b.Since.Before(a.Since),
		a.State == report.InboxOK && b.FullInSeconds > 0 && (a.FullInSeconds == 0 || b.FullInSeconds < a.FullInSeconds):
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// earliest takes a zero time for none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

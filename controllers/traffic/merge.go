package traffic

import (
	"cmp"
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

// merge joins the reports of replicas about one channel; ok is false when none of them knows it.
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
	a.LastAuthentic = latest(a.LastAuthentic, b.LastAuthentic)
	a.LastEvent = latest(a.LastEvent, b.LastEvent)
	a.APIKeys = joinKeys(a.APIKeys, b.APIKeys)

	a.Signature.Keys = joinKeys(a.Signature.Keys, b.Signature.Keys)
	a.Signature.Failed += b.Signature.Failed
	a.Signature.FailingSince = earliest(a.Signature.FailingSince, b.Signature.FailingSince)
	a.Signature.LastFailed = latest(a.Signature.LastFailed, b.Signature.LastFailed)
	a.Signature.Awaiting = a.Signature.Awaiting || b.Signature.Awaiting

	a.Delivery.Paused = a.Delivery.Paused || b.Delivery.Paused
	a.Delivery.Pending += b.Delivery.Pending
	a.Delivery.OldestPendingSeconds = max(a.Delivery.OldestPendingSeconds, b.Delivery.OldestPendingSeconds)
	a.Delivery.FailingSince = earliest(a.Delivery.FailingSince, b.Delivery.FailingSince)
	a.Delivery.LastError = cmp.Or(a.Delivery.LastError, b.Delivery.LastError)
	a.Delivery.LastTaken = latest(a.Delivery.LastTaken, b.Delivery.LastTaken)

	count := a.DeadLetters.Count + b.DeadLetters.Count
	if b.DeadLetters.LatestAt.After(a.DeadLetters.LatestAt) {
		a.DeadLetters = b.DeadLetters
	}
	a.DeadLetters.Count = count
	return a
}

// joinKeys takes the keys of both: replicas may have different configurations for a moment.
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

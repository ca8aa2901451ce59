package connector

import (
	"context"
	"net/http"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/connector/webhook"
)

// reports serves the report to callers with the token.
func (p *process) reports() http.Handler {
	reports := report.NewHandler(func() string { return reportToken(p.current.Load()) }, p.traffic)
	return http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) { reports.ServeHTTP(page{w}, call) })
}

// reportToken is empty if none is configured, or while it is missing.
func reportToken(cfg *config.Config) string {
	if cfg.Report.Token == nil {
		return ""
	}
	return cfg.Report.Token.Reveal()
}

// traffic collects the report.
func (p *process) traffic(ctx context.Context) report.Report {
	cfg := p.current.Load()
	r := report.Report{Began: p.begun.UTC(), Inbox: p.health.report(), Channels: make([]report.Channel, 0, len(cfg.Channels))}
	for _, c := range cfg.Channels {
		seen := p.handler.Traffic(c.Name)
		row := report.Channel{
			Name: c.Name, LastAuthentic: seen.LastAuthentic.UTC(), LastEvent: seen.LastEvent.UTC(),
			APIKeys: apiKeys(c, seen), Signature: signature(c, seen, reportToken(cfg)),
		}
		p.delivered(ctx, c.Name, &row)
		r.Channels = append(r.Channels, row)
	}
	return r
}

// delivered fills in what became of a channel's events.
func (p *process) delivered(ctx context.Context, name string, row *report.Channel) {
	stats, _ := p.inbox.Stats(ctx, name) // it fails while the inbox closes only
	status := p.dispatcher.Status(name)
	row.Delivery = report.Delivery{
		Paused: status.Paused, Pending: stats.Pending, OldestPendingSeconds: stats.OldestPendingAge.Seconds(),
		FailingSince: status.FailingSince.UTC(), LastTaken: status.LastTakenAt.UTC(),
	}
	if !status.FailingSince.IsZero() {
		row.Delivery.LastError = status.LastError
	}
	died := status.LatestDeath
	row.DeadLetters = report.DeadLetters{Count: stats.DeadLetters, LatestReason: died.Reason, LatestError: died.Error, LatestAt: died.At.UTC()}
}

// maxKeyName bounds the name of a key in a report, in bytes.
const maxKeyName = 128

func cut(text string, most int) string { return strings.ToValidUTF8(text[:min(len(text), most)], "") }

// apiKeys are the accepted keys of a channel.
func apiKeys(c config.Channel, seen webhook.Traffic) []report.Key {
	var keys []report.Key
	for _, key := range c.Webhook.APIKeys {
		if key.Usable() && len(keys) < report.MaxKeys {
			keys = append(keys, report.Key{Name: cut(key.Name, maxKeyName), LastUsed: seen.APIKeys[key.Digest()].UTC()})
		}
	}
	return keys
}

// signature is how the calls of a channel are verified.
func signature(c config.Channel, seen webhook.Traffic, token string) report.Signature {
	signing := c.Settings.(channel.Settings).Signing()
	s := report.Signature{
		Mode: string(signing.Mode), Failed: seen.Failed, FailingSince: seen.FailingSince.UTC(), LastFailed: seen.LastFailed.UTC(),
		Awaiting: seen.Awaiting,
	}
	for _, key := range signing.Keys {
		if len(s.Keys) == report.MaxKeys {
			break
		}
		s.Keys = append(s.Keys, report.Key{
			Name: cut(key.Source, maxKeyName), Account: key.Account, ID: report.KeyID(token, string(key.Digest[:])),
			LastUsed: seen.SigningKeys[key.Digest].UTC(),
		})
	}
	return s
}

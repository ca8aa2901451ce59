package connector

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/connector/webhook"
)

// reports serves the report to whoever has the token.
func (p *process) reports() http.Handler {
	reports := report.NewHandler(func() string { return reportToken(p.current.Load()) }, p.traffic)
	return http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) { reports.ServeHTTP(page{w}, call) })
}

// reportToken is empty where none is configured, or while it is missing.
func reportToken(cfg *config.Config) string {
	if cfg.Report.Token == nil {
		return ""
	}
	return cfg.Report.Token.Reveal()
}

// traffic is how things stand, for the report.
func (p *process) traffic(ctx context.Context) report.Report {
	cfg := p.current.Load()
	r := report.Report{Began: p.begun.UTC(), Inbox: p.health.report(), Channels: make([]report.Channel, 0, len(cfg.Channels))}
	for _, c := range cfg.Channels {
		seen := p.handler.Traffic(c.Name)
		channel := report.Channel{
			Name: c.Name, LastAuthentic: seen.LastAuthentic.UTC(), LastEvent: seen.LastEvent.UTC(),
			APIKeys: apiKeys(c, seen), Signature: signature(c, seen, reportToken(cfg)),
		}
		p.wayOut(ctx, c.Name, &channel)
		r.Channels = append(r.Channels, channel)
	}
	return r
}

// wayOut fills in what became of a channel's events.
func (p *process) wayOut(ctx context.Context, name string, channel *report.Channel) {
	stats, _ := p.inbox.Stats(ctx, name) // it fails while the inbox closes only
	status := p.dispatcher.Status(name)
	channel.Delivery = report.Delivery{
		Paused: status.Paused, Pending: stats.Pending, OldestPendingSeconds: stats.OldestPendingAge.Seconds(),
		FailingSince: status.FailingSince.UTC(), LastTaken: status.LastTakenAt.UTC(),
	}
	if !status.FailingSince.IsZero() {
		channel.Delivery.LastError = status.LastError
	}
	died := status.LatestDeath
	channel.DeadLetters = report.DeadLetters{Count: stats.DeadLetters, LatestReason: died.Reason, LatestError: died.Error, LatestAt: died.At.UTC()}
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
	s := report.Signature{
		Mode: string(c.ZaloOA.Signature.Mode), Failed: seen.Failed, FailingSince: seen.FailingSince.UTC(), LastFailed: seen.LastFailed.UTC(),
	}
	for _, key := range signingKeys(c) {
		if len(s.Keys) == report.MaxKeys {
			break
		}
		s.Keys = append(s.Keys, report.Key{
			Name: cut(key.Source, maxKeyName), Account: key.account, ID: report.KeyID(token, key.Reveal()), LastUsed: seen.SigningKeys[key.Digest()].UTC(),
		})
	}
	return s
}

// signingKey is one that is there, with where it stands, and the account whose events
// alone it verifies.
type signingKey struct {
	config.Secret

	account string
}

// signingKeys are the keys of a channel that are there, each with a source: without
// one of its own, its field. Those of the app come first.
func signingKeys(c config.Channel) []signingKey {
	var present []signingKey
	add := func(at, account string, keys []config.Secret) {
		for i, key := range keys {
			if key.Reveal() != "" {
				key.Source = cmp.Or(key.Source, fmt.Sprintf("%s[%d]", at, i))
				present = append(present, signingKey{key, account})
			}
		}
	}
	add("signature.secretKeys", "", c.ZaloOA.Signature.SecretKeys)
	for i, account := range c.ZaloOA.OfficialAccounts {
		add(fmt.Sprintf("officialAccounts[%d].secretKeys", i), account.ID, account.SecretKeys)
	}
	return present
}

// digests are those of signing keys.
func digests(keys []signingKey) [][sha256.Size]byte {
	digests := make([][sha256.Size]byte, 0, len(keys))
	for _, key := range keys {
		digests = append(digests, key.Digest())
	}
	return digests
}

package connector

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/delivery"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/embedded"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/connector/webhook"
)

// inboxTypes open the stores of package types. They stand here so that whoever needs the types alone links no store
// in.
var inboxTypes = map[string]func(config.Inbox, budget, *telemetry.Metrics, logr.Logger) (inbox.Inbox, error){
	embedded.Type.Name: openEmbedded,
}

// openEmbedded opens the store, which has its parts of the budget.
func openEmbedded(c config.Inbox, b budget, metrics *telemetry.Metrics, log logr.Logger) (inbox.Inbox, error) {
	return pebble.Open(embeddedOptions(c, b, metrics, log))
}

func embeddedOptions(c config.Inbox, b budget, metrics *telemetry.Metrics, log logr.Logger) pebble.Options {
	settings := c.Settings.(*embedded.Settings)
	return pebble.Options{
		Path:                settings.Path,
		MaxSize:             int64(settings.MaxSize),
		DeduplicationWindow: time.Duration(c.DeduplicationWindow),
		MaxOpenFiles:        b.store,
		CacheSize:           b.storeCache,
		QueueSize:           b.storeQueue,
		MemTableSize:        uint64(b.memTable), //nolint:gosec // it is no less than minStoreMemory
		Metrics:             metrics,
		Log:                 log.WithName("inbox"),
	}
}

// waysIn are the channels as the webhook sees them.
func waysIn(channels []config.Channel) []webhook.Channel {
	in := make([]webhook.Channel, 0, len(channels))
	for _, c := range channels {
		keys := make([][sha256.Size]byte, 0, len(c.Webhook.APIKeys))
		for _, key := range c.Webhook.APIKeys {
			if key.Usable() {
				keys = append(keys, key.Digest())
			}
		}
		settings := c.Settings.(channel.Settings)
		signing := settings.Signing()
		in = append(in, webhook.Channel{
			Name: c.Name, Path: c.Webhook.Path, Keys: keys, SigningKeys: digests(signing.Keys), MaxBodySize: int64(c.Webhook.MaxBodySize),
			MaxEventAge: time.Duration(*c.Webhook.MaxEventAge), Enforces: signing.Mode == channel.SignatureEnforce,
			Events: c.Webhook.Events, AnswerIn: types.Channel(c.Type).AnswerIn, Type: settings.Open(c.Name),
		})
	}
	return in
}

// waysOut are the channels as the delivery sees them. Without a credential that the sink must be called with, events
// are held.
func waysOut(channels []config.Channel, places *sink.Places) []delivery.Channel {
	out := make([]delivery.Channel, 0, len(channels))
	for _, c := range channels {
		settings := c.Sink.Settings.(sink.Settings)
		way := delivery.Channel{
			Name: c.Name, SinkDigest: fmt.Sprint(c.Sink.Type, settings.Digest(), c.Delivery.Concurrency), Delivery: c.Delivery,
			Open: func() (sink.Sink, error) {
				return settings.Open(sink.Environment{Concurrency: c.Delivery.Concurrency, Places: places})
			},
		}
		if len(settings.Lacks()) > 0 {
			way.Delivery.Paused, way.Open = true, func() (sink.Sink, error) { return sink.Withheld{}, nil }
		}
		out = append(out, way)
	}
	return out
}

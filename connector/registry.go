package connector

import (
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

// inboxTypes open the stores of package types, which gives each its parts of the budget. They stand here so that a
// program with the types alone links no store in.
var inboxTypes = map[string]func(config.Inbox, budget, *telemetry.Metrics, logr.Logger) (inbox.Inbox, error){
	embedded.Type.Name: func(c config.Inbox, b budget, metrics *telemetry.Metrics, log logr.Logger) (inbox.Inbox, error) {
		settings := c.Settings.(*embedded.Settings)
		return openStore(pebble.Options{
			Path:                settings.Path,
			MaxSize:             int64(settings.MaxSize),
			DeduplicationWindow: time.Duration(c.DeduplicationWindow),
			MaxOpenFiles:        b.store,
			CacheSize:           b.storeCache,
			QueueSize:           b.storeQueue,
			MemTableSize:        uint64(b.memTable),
			Metrics:             metrics,
			Log:                 log.WithName("inbox"),
		})
	},
}

// openStore is replaced by tests, which give the store a file system that fails.
var openStore = func(o pebble.Options) (inbox.Inbox, error) { return pebble.Open(o) }

// wayIn is a channel as the webhook sees it.
func wayIn(c config.Channel, e channel.Environment) (webhook.Channel, error) {
	settings, of := c.Settings.(channel.Settings), types.Channel(c.Type)
	opened, err := of.Open(c.Name, settings, e)
	signing := settings.Signing()
	in := webhook.Channel{
		Name: c.Name, Path: c.Webhook.Path, MaxBodySize: int64(c.Webhook.MaxBodySize), MaxEventAge: time.Duration(*c.Webhook.MaxEventAge),
		Enforces: signing.Mode == channel.SignatureEnforce, Events: c.Webhook.Events,
		AnswerIn: of.AnswerIn, Type: opened,
	}
	for _, key := range c.Webhook.APIKeys {
		if key.Usable() {
			in.Keys = append(in.Keys, key.Digest())
		}
	}
	for _, key := range signing.Keys {
		in.SigningKeys = append(in.SigningKeys, key.Digest)
	}
	return in, err
}

// wayOut is a channel as the delivery sees it. While its sink lacks a credential, events are held.
func wayOut(c config.Channel, places *sink.Places) delivery.Channel {
	settings := c.Sink.Settings.(sink.Settings)
	out := delivery.Channel{
		Name: c.Name, SinkDigest: fmt.Sprint(c.Sink.Type, settings.Digest(), c.Delivery.Concurrency), Delivery: c.Delivery,
		Open: func() (sink.Sink, error) {
			return settings.Open(sink.Environment{Concurrency: c.Delivery.Concurrency, Places: places})
		},
	}
	if settings.Lacks() {
		out.Delivery.Paused, out.Open = true, func() (sink.Sink, error) { return sink.Withheld{}, nil }
	}
	return out
}

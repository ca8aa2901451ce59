package connector

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/delivery"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/sink/each"
	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/connector/webhook"
)

// The kinds of parts. A new channel type, inbox or sink is one package, one line
// here, and its schema in package config: the name of the type, the union's
// member with its defaults, and the checks.
var (
	channelTypes = map[config.ChannelType]func(config.Channel) channel.Channel{
		config.ChannelZaloOA: func(c config.Channel) channel.Channel { return zalo.New(c.Name, *c.ZaloOA) },
	}
	inboxTypes = map[config.InboxType]func(config.Inbox, budget, *telemetry.Metrics, logr.Logger) (inbox.Inbox, error){
		config.InboxEmbedded: openEmbedded,
	}
	sinkTypes = map[config.SinkType]func(config.Channel, *sink.Places) (sink.Sink, error){
		config.SinkHTTP: func(c config.Channel, places *sink.Places) (sink.Sink, error) {
			if len(c.Sink.HTTP.Lacks()) > 0 {
				return sink.Withheld{}, nil
			}
			s, err := httpsink.New(*c.Sink.HTTP, sink.Environment{Concurrency: c.Delivery.Concurrency, Places: places}, time.Now)
			if err != nil {
				return nil, err
			}
			return each.Sink(s), nil
		},
	}
)

// openEmbedded opens the store, which has its parts of the budget.
func openEmbedded(c config.Inbox, b budget, metrics *telemetry.Metrics, log logr.Logger) (inbox.Inbox, error) {
	return pebble.Open(embeddedOptions(c, b, metrics, log))
}

func embeddedOptions(c config.Inbox, b budget, metrics *telemetry.Metrics, log logr.Logger) pebble.Options {
	return pebble.Options{
		Path:                c.Embedded.Path,
		MaxSize:             int64(c.Embedded.MaxSize),
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
		in = append(in, webhook.Channel{
			Name: c.Name, Path: c.Webhook.Path, Keys: keys, SigningKeys: digests(signingKeys(c)), MaxBodySize: int64(c.Webhook.MaxBodySize),
			MaxEventAge: time.Duration(*c.Webhook.MaxEventAge), Enforces: c.ZaloOA.Signature.Mode == config.SignatureEnforce,
			Events: c.Webhook.Events, Type: channelTypes[c.Type](c),
		})
	}
	return in
}

// waysOut are the channels as the delivery sees them.
func waysOut(channels []config.Channel, places *sink.Places) []delivery.Channel {
	out := make([]delivery.Channel, 0, len(channels))
	for _, c := range channels {
		// Without a credential that the sink must be called with, events are held.
		held := c.Delivery
		held.Paused = held.Paused || len(c.Sink.HTTP.Lacks()) > 0
		out = append(out, delivery.Channel{
			Name: c.Name, SinkDigest: fmt.Sprint(c.Sink.Digest(), c.Delivery.Concurrency), Delivery: held,
			Open: func() (sink.Sink, error) { return sinkTypes[c.Sink.Type](c, places) },
		})
	}
	return out
}

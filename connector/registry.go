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
	"xbot.a4b.vn/channel-connector/connector/sink/each"
	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/connector/webhook"
)

// inboxTypes open the stores of package types. They stand here so that whoever needs the
// types alone links no store in.
var inboxTypes = map[string]func(config.Inbox, budget, *telemetry.Metrics, logr.Logger) (inbox.Inbox, error){
	embedded.Type.Name: openEmbedded,
}

// openSink opens the sink of a channel.
func openSink(c config.Channel, places *sink.Places) (sink.Sink, error) {
	settings := c.Sink.Settings.(*config.HTTPSink)
	if len(settings.Lacks()) > 0 {
		return sink.Withheld{}, nil
	}
	s, err := httpsink.New(*settings, sink.Environment{Concurrency: c.Delivery.Concurrency, Places: places}, time.Now)
	if err != nil {
		return nil, err
	}
	return each.Sink(s), nil
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

// waysOut are the channels as the delivery sees them.
func waysOut(channels []config.Channel, places *sink.Places) []delivery.Channel {
	out := make([]delivery.Channel, 0, len(channels))
	for _, c := range channels {
		// Without a credential that the sink must be called with, events are held.
		settings, held := c.Sink.Settings.(*config.HTTPSink), c.Delivery
		held.Paused = held.Paused || len(settings.Lacks()) > 0
		out = append(out, delivery.Channel{
			Name: c.Name, SinkDigest: fmt.Sprint(settings.Digest(), c.Delivery.Concurrency), Delivery: held,
			Open: func() (sink.Sink, error) { return openSink(c, places) },
		})
	}
	return out
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

const conversations = 20

// text is in every event.
var text = strings.Repeat(bodyMark, 6)

// ladder is Zalo's (30 s, 5 min, 15 min, 30 min, 1 h), 300 times as fast.
var ladder = []time.Duration{
	100 * time.Millisecond, time.Second, 3 * time.Second, 6 * time.Second, 12 * time.Second,
}

// inventedMessage is one that no platform has sent.
var inventedMessage = traffic.Message{Conversation: 1 << 20}

// channel is both ends of the honest traffic.
type channel struct {
	name     string
	platform *traffic.Platform
	bot      *traffic.Bot
	// doors are the URLs of the bot.
	doors []string
	// keys are in use, leaked is an API key of the attackers.
	keys   traffic.Keys
	leaked string
}

func newKeys() traffic.Keys {
	return traffic.Keys{APIKey: example.Key(16), Secret: example.Key(16)}
}

func newChannel(ctx context.Context, name, server string) *channel {
	bot := must.Get(traffic.NewBot(ctx, "127.0.0.1"))
	return &channel{
		name: name, bot: bot, doors: []string{bot.URL(), must.Get(bot.Door(ctx, "127.0.0.1"))}, keys: newKeys(), leaked: example.Key(16),
		platform: &traffic.Platform{
			URL: "http://" + server + zalo.DefaultPath, Conversations: conversations, Text: text,
			Pause: 400 * time.Millisecond, Retries: ladder, Fresh: 4, Again: traffic.EveryNth(10),
		},
	}
}

// settings are the channel's in the configuration, perhaps with further keys.
func (c *channel) settings(sink string, next ...traffic.Keys) channelSettings {
	s := channelSettings{Name: c.name, Sink: sink, APIKeys: []string{c.leaked}}
	for _, keys := range append([]traffic.Keys{c.keys}, next...) {
		s.APIKeys, s.Secrets = append(s.APIKeys, keys.APIKey), append(s.Secrets, keys.Secret)
	}
	return s
}

// captured is a signed call of long ago, as it came over the wire.
func (c *channel) captured(ctx context.Context) []byte {
	long := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	keys := traffic.Keys{APIKey: c.leaked, Secret: c.keys.Secret}
	var wire bytes.Buffer
	must.Do(must.Get(traffic.ZaloOA.NewRequest(ctx, c.platform.URL, keys, inventedMessage, long, text)).Write(&wire))
	return wire.Bytes()
}

// owed are the messages that were acknowledged and not taken.
func (c *channel) owed() (owed []traffic.Message) {
	return traffic.Judge(c.platform.Acknowledged(), c.bot.Arrivals()).Lost
}

// firstTries are the calls that were each message's first.
func firstTries(calls []traffic.Call) []traffic.Call {
	return slices.DeleteFunc(slices.Clone(calls), func(call traffic.Call) bool { return call.Try > 1 || call.Again })
}

// outcomes counts calls by their status.
func outcomes(calls []traffic.Call) map[string]int {
	counts := map[string]int{}
	for _, call := range calls {
		if call.Status == 0 {
			counts["no answer"]++
		} else {
			counts[fmt.Sprint(call.Status)]++
		}
	}
	return counts
}

// share is the part of good calls among those that no disturbance touched. It also returns the failed ones.
func share(calls []traffic.Call, disturbances []disturbance) (good float64, count int, failed []traffic.Call) {
	for _, call := range calls {
		if slices.ContainsFunc(disturbances, func(d disturbance) bool { return d.touches(call.At, call.Until) }) {
			continue
		}
		if count++; call.Failed() {
			failed = append(failed, call)
		}
	}
	return float64(count-len(failed)) / float64(max(count, 1)), count, failed
}

// disturbance is a time in which calls may fail.
type disturbance struct{ from, to time.Time }

func (d disturbance) touches(from, to time.Time) bool { return from.Before(d.to) && to.After(d.from) }

// between is a random time.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/issuer"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// coldTokens are more tokens than a connector remembers: when one comes again, it is forgotten.
const coldTokens = 6000

// figure6 compares every type of channel with ZaloOA, each in a connector of its own.
func (b *bench) figure6(ctx context.Context) {
	tokens := must.Get(issuer.New(ctx, "127.0.0.1"))
	b.Cleanup(func() { must.Do(tokens.Close()) })
	names, trials := []string{}, []trial{}
	add := func(name string, d traffic.Dialect, secrets []string) {
		names, trials = append(names, name), append(trials, b.speaks(ctx, d, secrets))
	}
	for _, d := range traffic.Dialects(tokens) {
		add(d.Type, d, []string{d.Secret()})
	}
	add("AzureBot, each token verified", traffic.AzureBot(tokens), b.makeTokens(traffic.AzureBot(tokens)))
	results := b.compare(ctx, trials...)
	for i := 1; i < len(names); i++ {
		r := benchmark.Ratio("accept, "+names[i]+" (baseline: ZaloOA)", results[0], results[i], perSecond, "of ZaloOA")
		if asked, ok := askedOf[names[i]]; ok {
			r = r.AtLeast(asked)
		}
		b.Add(r)
	}
}

// askedOf are the asked ratios by the names of the lines.
var askedOf = map[string]float64{"AzureBot": 0.8, "FacebookMessenger": 0.9, "ZaloBot": 0.9}

// makeTokens makes tokens that are all different.
func (*bench) makeTokens(d traffic.Dialect) []string {
	benchmark.Sayf("making %d tokens …", coldTokens)
	made := map[string]bool{}
	for len(made) < coldTokens {
		made[d.Secret()] = true
	}
	return slices.Collect(maps.Keys(made))
}

// speaks is the trial of figure 1 with a type of channel.
func (b *bench) speaks(ctx context.Context, d traffic.Dialect, secrets []string) trial {
	c := b.startConnector(ctx, b.builds[0], connectorSettings{
		Channels: 1, Paused: true, Sink: noSink, Type: d.Type, Section: d.Section(secrets[0]),
	})
	b.waitVerified(ctx, c, d, secrets[0])
	return func(ctx context.Context) float64 {
		j := b.fullLoad(c.Server)
		j.Type, j.Secrets = d.Type, secrets
		return b.load(ctx, j).perSecond()
	}
}

// waitVerified waits until a call is accepted: a connector may have to fetch keys first.
func (b *bench) waitVerified(ctx context.Context, c *connector, d traffic.Dialect, secret string) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	keys := traffic.Keys{APIKey: apiKey(0), Secret: secret}
	must.Do(c.Wait(ctx, "the first call to be accepted", func(ctx context.Context) bool {
		status, err := d.Post(ctx, http.DefaultClient, "http://"+c.Server+d.Path, keys, traffic.Message{}, "")
		return err == nil && status == http.StatusOK
	}))
}

// The first numbers of conversations and messages have as many digits as all that follow.
const firstConversation, firstMessage = 10_000, 1_000_000_000

// textOf makes a call as long as one of ZaloOA with xBot's published example.
const textOf = "0123456789012345678901234567"

// requestOf is newRequest of a type of channel.
func requestOf(d traffic.Dialect, secrets []string) func(sequence, conversations, channels int) []byte {
	return func(sequence, conversations, channels int) []byte {
		m := traffic.Message{Conversation: firstConversation + sequence%conversations, N: firstMessage + sequence}
		keys := traffic.Keys{APIKey: apiKey(sequence % channels), Secret: secrets[sequence%len(secrets)]}
		req := must.Get(d.NewRequest(context.Background(), "http://localhost"+d.Path, keys, m, began, textOf))
		req.Header.Set("Content-Type", "application/json")
		var wire bytes.Buffer
		must.Do(req.Write(&wire))
		return wire.Bytes()
	}
}

// dialectOf returns the dialect of a type. It needs no issuer, since the tokens are made.
func dialectOf(name string) traffic.Dialect {
	for _, d := range traffic.Dialects(nil) {
		if d.Type == name {
			return d
		}
	}
	must.Do(fmt.Errorf("no dialect of type %s", name))
	return traffic.Dialect{}
}

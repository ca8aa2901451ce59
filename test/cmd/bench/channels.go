package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

const manyChannels = 1000

// figure4 is 1,000 channels in one process.
func (b *bench) figure4(ctx context.Context) {
	b.eachBuild(func(of build, add func(benchmark.Row, float64)) { b.manyIdle(ctx, of, add) })
	b.manyLoaded(ctx)
}

// manyIdle measures an idle connector that delivers, and its reload.
func (b *bench) manyIdle(ctx context.Context, of build, add func(benchmark.Row, float64)) {
	c := b.startConnector(ctx, of, connectorSettings{Channels: manyChannels, Sink: noSink})
	c.idle(ctx, "1,000 channels: memory idle", 48, add)
	times := make(series.Series, b.rounds)
	for round := range times {
		times[round] = float64(c.reload(ctx, fmt.Sprintf("key of reload %d", round)).Microseconds()) / 1000
	}
	add(benchmark.Row{
		Measure: "1,000 channels: file replaced until its new key is let in",
		Result:  times.Spread() + " ms", Asked: "under 100 ms", Met: times.Median() < 100,
	}, times.Median())
}

// reload gives channel 0 a second key and returns the time from the file's replacement to the first call that the key
// lets in.
func (c *connector) reload(ctx context.Context, key string) time.Duration {
	c.extraKey = digest(key)
	c.writeConfig()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	must.Do(c.Wait(ctx, "the reloaded key to be let in", c.letsIn))
	return time.Since(begin)
}

// letsIn makes the call that Zalo makes when a URL is saved: nothing is stored.
func (c *connector) letsIn(ctx context.Context) bool {
	req := must.Get(http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Server+zalo.DefaultPath, http.NoBody))
	req.Header.Set("Xp-Api-Key", c.extraKey)
	resp, err := http.DefaultClient.Do(req)
	must.Do(err)
	must.Do(resp.Body.Close())
	return resp.StatusCode == http.StatusOK
}

// manyLoaded compares the throughput of figure 1 over 1,000 channels with that over one.
func (b *bench) manyLoaded(ctx context.Context) {
	accepts := func(channels int) trial {
		c := b.startConnector(ctx, b.builds[0], connectorSettings{Channels: channels, Paused: true, Sink: noSink})
		return b.accepts(c.Server, channels)
	}
	results := b.compare(ctx, accepts(1), accepts(manyChannels))
	const measure = "1,000 channels: accept (baseline: the connector with one)"
	b.Add(benchmark.Ratio(measure, results[0], results[1], perSecond, "of one channel").AtLeast(0.95))
}

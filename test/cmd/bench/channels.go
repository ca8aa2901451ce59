package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

const manyChannels = 1000

// figure4 is 1,000 channels in one process.
func figure4(ctx context.Context, b *bench) error {
	err := b.eachBuild(4, func(of build, add func(benchmark.Row, float64)) error { return b.manyIdle(ctx, of, add) })
	if err != nil {
		return err
	}
	return b.manyLoaded(ctx)
}

// manyIdle measures an idle connector that delivers, and its reload.
func (b *bench) manyIdle(ctx context.Context, of build, add func(benchmark.Row, float64)) (err error) {
	c, err := b.startConnector(ctx, of, connectorSettings{Channels: manyChannels, Sink: noSink})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.idle(ctx, 4, "1,000 channels: memory idle", 48, add); err != nil {
		return err
	}
	times := series.Series{}
	for round := range b.rounds {
		took, err := c.reload(ctx, fmt.Sprintf("key of reload %d", round))
		if err != nil {
			return err
		}
		times = append(times, float64(took.Microseconds())/1000)
	}
	add(benchmark.Row{
		Figure: 4, Measure: "1,000 channels: file replaced until its new key is let in",
		Result: times.Spread() + " ms", Asked: "under 100 ms", Met: times.Median() < 100,
	}, times.Median())
	return nil
}

// reload gives channel 0 a second key and returns how long it took from the
// file's replacement to the first call that the key lets in.
func (c *connector) reload(ctx context.Context, key string) (time.Duration, error) {
	c.extraKey = digest(key)
	if err := c.writeConfig(); err != nil {
		return 0, err
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		letIn, err := c.probe(ctx, c.extraKey)
		if err != nil {
			return 0, err
		}
		if letIn {
			return time.Since(begin), nil
		}
		if err := benchmark.Pause(ctx, time.Millisecond); err != nil {
			return 0, fmt.Errorf("the reloaded key is still refused: %w\n%s", err, c.LastLog())
		}
	}
}

// probe makes the call that Zalo makes when a URL is saved: nothing is stored.
func (c *connector) probe(ctx context.Context, key string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Server+zalo.DefaultPath, http.NoBody)
	if err != nil {
		return false, err
	}
	req.Header.Set("Xp-Api-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	return resp.StatusCode == http.StatusOK, resp.Body.Close()
}

// manyLoaded compares the throughput of figure 1 over 1,000 channels with that
// over one.
func (b *bench) manyLoaded(ctx context.Context) (err error) {
	one, err := b.startConnector(ctx, b.ours(), connectorSettings{Channels: 1, Paused: true, Sink: noSink})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.stop()) }()
	many, err := b.startConnector(ctx, b.ours(), connectorSettings{Channels: manyChannels, Paused: true, Sink: noSink})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, many.stop()) }()

	results, err := b.compare(ctx, b.accepts(one.Server, 1), b.accepts(many.Server, manyChannels))
	if err != nil {
		return err
	}
	ones, manys := results[0], results[1]
	ratio := manys.Over(ones)
	b.Add(benchmark.Row{
		Figure: 4, Measure: "1,000 channels: accept (baseline: the connector with one)",
		Baseline: perSecond(ones), Measured: perSecond(manys),
		Result: ratio.Spread() + " of one channel", Asked: "at least 0.95", Met: ratio.Median() >= 0.95,
	})
	return nil
}

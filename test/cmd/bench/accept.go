package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

func perSecond(r series.Series) string { return fmt.Sprintf("%.0f/s", r.Median()) }

// figure1 is accept alone: delivery paused, signature Enforce, every event
// fsynced before its 200.
func figure1(ctx context.Context, b *bench) (err error) {
	baseline, err := b.startServer(ctx, serverSettings{Status: 200})
	if err != nil {
		return err
	}
	defer baseline.process.Kill()
	paused := connectorSettings{Channels: 1, Paused: true, Sink: noSink}
	connectors, stop, err := b.startEach(ctx, func(int) connectorSettings { return paused })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	trials := []trial{b.accepts(baseline.address, 1)}
	for _, c := range connectors {
		trials = append(trials, b.accepts(c.Server, 1))
	}
	results, err := b.compare(ctx, trials...)
	if err != nil {
		return err
	}
	const measure = "accept, delivery paused"
	ratio := results[1].Over(results[0])
	b.Add(benchmark.Row{
		Figure: 1, Measure: measure,
		Baseline: perSecond(results[0]), Measured: perSecond(results[1]),
		Result: ratio.Spread() + " of baseline", Asked: "at least 0.6", Met: ratio.Median() >= 0.6,
	})
	b.versus(1, measure, results[1:], true, perSecond)
	return nil
}

// figure2 is accept while everything is delivered to a sink. The clock of a
// round stops when the sink has all of its events, so a connector that accepts
// fast and delivers late gains nothing.
func figure2(ctx context.Context, b *bench) (err error) {
	baseline, err := b.startServer(ctx, serverSettings{Status: 200})
	if err != nil {
		return err
	}
	defer baseline.process.Kill()
	ways, stop, err := b.startWays(ctx, serverSettings{Status: 200})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	trials := []trial{b.accepts(baseline.address, 1)}
	for _, w := range ways {
		trials = append(trials, w.delivers(b))
	}
	results, err := b.compare(ctx, trials...)
	if err != nil {
		return err
	}
	bare, floor, ours := results[0], results[1], results[2]
	const measure = "accept and deliver"
	ratio := ours.Over(bare)
	b.Add(benchmark.Row{
		Figure: 2, Measure: fmt.Sprintf("%s (sink %.1f s behind at the end)", measure, ways[1].behind.Median()),
		Baseline: perSecond(bare), Measured: perSecond(ours),
		Result: ratio.Spread() + " of baseline", Asked: "at least 0.35", Met: ratio.Median() >= 0.35,
	})
	b.Add(benchmark.Row{
		Figure: 2, Measure: measure + " (baseline: the floor)",
		Baseline: perSecond(floor), Measured: perSecond(ours), Result: ours.Over(floor).Spread() + " of the floor",
	})
	b.versus(2, measure, results[2:], true, perSecond)
	return nil
}

// way is one that events take to a sink of its own.
type way struct {
	address string
	sink    *bareServer
	// sent is how many were sent over it so far.
	sent int
	// behind is how long the sink needed after each load, in seconds.
	behind series.Series
	delays delays
}

// startWays starts the floor, and then a connector of each build, each with a sink.
func (b *bench) startWays(ctx context.Context, sinks serverSettings) (ways []*way, stop func() error, err error) {
	var servers []*bareServer
	kill := func() {
		for _, s := range servers {
			s.process.Kill()
		}
	}
	for range 1 + len(b.builds) {
		sink, err := b.startServer(ctx, sinks)
		if err != nil {
			kill()
			return nil, nil, err
		}
		servers, ways = append(servers, sink), append(ways, &way{sink: sink})
	}
	floor, err := b.startFloor(ctx, ways[0].sink.url())
	if err != nil {
		kill()
		return nil, nil, err
	}
	servers, ways[0].address = append(servers, floor), floor.address
	connectors, stopEach, err := b.startEach(ctx, func(i int) connectorSettings {
		return connectorSettings{Channels: 1, Sink: ways[1+i].sink.url()}
	})
	if err != nil {
		kill()
		return nil, nil, err
	}
	for i, c := range connectors {
		ways[1+i].address = c.Server
	}
	return ways, func() error { defer kill(); return stopEach() }, nil
}

// delivers is the trial that ends when the sink has everything.
func (w *way) delivers(b *bench) trial {
	return func(ctx context.Context) (float64, error) {
		load, err := b.load(ctx, b.fullLoad(w.address))
		if err != nil {
			return 0, err
		}
		drain := time.Now()
		w.sent += load.Sent
		_, err = w.sink.waitReceived(ctx, w.sent)
		late := time.Since(drain)
		w.behind = append(w.behind, late.Seconds())
		return float64(load.Sent) / (load.Elapsed + late).Seconds(), err
	}
}

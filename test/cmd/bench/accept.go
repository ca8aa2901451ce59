package main

import (
	"context"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// perSecond is the unit of rates.
const perSecond = "%.0f/s"

// figure1 is accept alone: delivery paused, signature Enforce, every event fsynced before its 200.
func (b *bench) figure1(ctx context.Context) {
	trials := []trial{b.accepts(b.startServer(ctx, serverSettings{Status: 200}).address, 1)}
	for _, of := range b.builds {
		trials = append(trials, b.accepts(b.startConnector(ctx, of, connectorSettings{Channels: 1, Paused: true, Sink: noSink}).Server, 1))
	}
	results := b.compare(ctx, trials...)
	const measure = "accept, delivery paused"
	b.Add(benchmark.Ratio(measure, results[0], results[1], perSecond, "of baseline").AtLeast(0.6))
	b.versus(measure, results[1:], true, perSecond)
}

// figure2 is accept while everything is delivered to a sink. The clock of a round stops when the sink has
// all of its events, so a connector that accepts fast and delivers late gains nothing.
func (b *bench) figure2(ctx context.Context) {
	trials := []trial{b.accepts(b.startServer(ctx, serverSettings{Status: 200}).address, 1)}
	ways := b.startWays(ctx, serverSettings{Status: 200})
	for _, w := range ways {
		trials = append(trials, w.delivers(b))
	}
	results := b.compare(ctx, trials...)
	const measure = "accept and deliver"
	behind := fmt.Sprintf("%s (sink %.1f s behind at the end)", measure, ways[1].behind.Median())
	b.Add(benchmark.Ratio(behind, results[0], results[2], perSecond, "of baseline").AtLeast(0.35))
	b.Add(benchmark.Ratio(measure+" (baseline: the floor)", results[1], results[2], perSecond, "of the floor"))
	b.versus(measure, results[2:], true, perSecond)
}

// way leads events to a sink of its own.
type way struct {
	address string
	sink    *bareServer
	// sent is the number of events so far.
	sent int
	// behind is how long the sink needed after each load, in seconds.
	behind series.Series
	// p50 and p99 are the delays of each round, in microseconds.
	p50, p99 series.Series
}

// startWays starts the floor, and a connector of each build, each with a sink.
func (b *bench) startWays(ctx context.Context, sinks serverSettings) []*way {
	sink := b.startServer(ctx, sinks)
	ways := []*way{{sink: sink, address: b.startFloor(ctx, sink.url()).address}}
	for _, of := range b.builds {
		sink := b.startServer(ctx, sinks)
		ways = append(ways, &way{sink: sink, address: b.startConnector(ctx, of, connectorSettings{Channels: 1, Sink: sink.url()}).Server})
	}
	return ways
}

// delivers is the trial that ends when the sink has everything.
func (w *way) delivers(b *bench) trial {
	return func(ctx context.Context) float64 {
		load := b.load(ctx, b.fullLoad(w.address))
		drain := time.Now()
		w.sent += load.Sent
		w.sink.waitReceived(ctx, w.sent)
		late := time.Since(drain)
		w.behind = append(w.behind, late.Seconds())
		return float64(load.Sent) / (load.Elapsed + late).Seconds()
	}
}

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
	trials := make([]trial, len(b.builds))
	for i, of := range b.builds {
		trials[i] = b.accepts(b.startConnector(ctx, of, connectorSettings{Channels: 1, Paused: true, Sink: noSink}).Server, 1)
	}
	results := b.compareWithBare(ctx, trials)
	const measure = "accept, delivery paused"
	b.Add(benchmark.Ratio(measure, results[0], results[1], perSecond, "of baseline").AtLeast(0.6))
	b.versus(measure, results[1:], true, perSecond)
}

// figure2 is accept while everything is delivered to a sink. The clock of a round stops when the sink has all of its
// events, so a connector that accepts fast and delivers late gains nothing.
func (b *bench) figure2(ctx context.Context) {
	ways := b.startWays(ctx, serverSettings{Status: 200})
	trials := make([]trial, len(ways))
	for i, w := range ways {
		trials[i] = w.delivers(b)
	}
	results := b.compareWithBare(ctx, trials)
	const measure = "accept and deliver"
	behind := fmt.Sprintf("%s (sink %.1f s behind at the end)", measure, ways[1].behind.Median())
	b.Add(benchmark.Ratio(behind, results[0], results[2], perSecond, "of baseline").AtLeast(0.35))
	b.Add(benchmark.Ratio(measure+" (baseline: the floor)", results[1], results[2], perSecond, "of the floor"))
	b.versus(measure, results[2:], true, perSecond)
}

// compareWithBare compares with a bare server, whose results are the first.
func (b *bench) compareWithBare(ctx context.Context, trials []trial) []series.Series {
	bare := b.accepts(b.startServer(ctx, serverSettings{Status: 200}).address, 1)
	return b.compare(ctx, append([]trial{bare}, trials...)...)
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
	ways := make([]*way, 1+len(b.builds))
	for i := range ways {
		sink := b.startServer(ctx, sinks)
		ways[i] = &way{sink: sink}
		if i == 0 {
			ways[i].address = b.startFloor(ctx, sink.url()).address
		} else {
			ways[i].address = b.startConnector(ctx, b.builds[i-1], connectorSettings{Channels: 1, Sink: sink.url()}).Server
		}
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

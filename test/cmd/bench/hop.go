package main

import (
	"context"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

const (
	hopRate        = 1000 // events/s
	hopConnections = 64
	microseconds   = "%.0f µs"
)

// figure5 is the way of an event from the webhook to the sink, as a multiple of one bare hop: the same client sending
// the same events straight to a sink. Both end when the sink has read the body.
func (b *bench) figure5(ctx context.Context) {
	recording := serverSettings{Status: 200, Record: true}
	sink := b.startServer(ctx, recording)
	straight, ways := &way{address: sink.address, sink: sink}, b.startWays(ctx, recording)
	for range b.rounds {
		for _, w := range append([]*way{straight}, ways...) {
			w.travel(ctx, b)
		}
	}
	for _, q := range []struct {
		name string
		of   func(*way) series.Series
		ask  func(benchmark.Row) benchmark.Row
	}{
		{"p50", func(w *way) series.Series { return w.p50 }, func(r benchmark.Row) benchmark.Row { return r.AtMost(5) }},
		{"p99", func(w *way) series.Series { return w.p99 }, func(r benchmark.Row) benchmark.Row { return r }},
	} {
		results := make([]series.Series, len(b.builds))
		for i := range results {
			results[i] = q.of(ways[1+i])
		}
		measure := "webhook to sink at 1,000 events/s, " + q.name
		b.Add(q.ask(benchmark.Ratio(measure+" (baseline: one bare hop)", q.of(straight), results[0], microseconds, "hops")))
		b.Add(benchmark.Ratio(measure+" (baseline: the floor)", q.of(ways[0]), results[0], microseconds, "of the floor"))
		b.versus(measure, results, false, microseconds)
	}
}

// travel sends events at the fixed rate and adds the times until they were in the sink.
func (w *way) travel(ctx context.Context, b *bench) {
	first := b.sent
	r := b.load(ctx, job{
		Address: w.address, Connections: hopConnections, Rate: hopRate,
		Count: int(hopRate * b.duration.Seconds()), Conversations: 10_000, Channels: 1,
	})
	w.sent += r.Sent
	got := w.sink.waitReceived(ctx, w.sent)
	times := make(series.Series, len(r.SentAt))
	for i, sent := range r.SentAt {
		arrived, ok := got.Arrivals[first+i]
		if !ok {
			must.Do(fmt.Errorf("event %d never reached the sink", first+i))
		}
		times[i] = float64(time.Duration(arrived-sent).Nanoseconds()) / 1000
	}
	w.p50, w.p99 = append(w.p50, times.Median()), append(w.p99, times.Quantile(0.99))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

const (
	hopRate        = 1000 // events/s
	hopConnections = 64
)

// figure5 is the way of an event from the webhook to the sink, as a multiple of
// one bare hop: the same client sending the same events straight to a sink.
// Both end when the sink has read the body.
func figure5(ctx context.Context, b *bench) (err error) {
	recording := serverSettings{Status: 200, Record: true}
	sink, err := b.startServer(ctx, recording)
	if err != nil {
		return err
	}
	defer sink.process.Kill()
	ways, stop, err := b.startWays(ctx, recording)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	straight := &way{address: sink.address, sink: sink}
	for range b.rounds {
		for _, w := range append([]*way{straight}, ways...) {
			if err := w.travel(ctx, b); err != nil {
				return err
			}
		}
	}
	for _, q := range []struct {
		name string
		of   func(*way) series.Series
		most float64
	}{
		{"p50", func(w *way) series.Series { return w.delays.p50 }, 5},
		{"p99", func(w *way) series.Series { return w.delays.p99 }, 0},
	} {
		var results []series.Series
		for _, w := range ways[1:] {
			results = append(results, q.of(w))
		}
		measure := "webhook to sink at 1,000 events/s, " + q.name
		b.Add(hopRow(measure+" (baseline: one bare hop)", "hops", q.of(straight), results[0], q.most))
		b.Add(hopRow(measure+" (baseline: the floor)", "of the floor", q.of(ways[0]), results[0], 0))
		b.versus(5, measure, results, false, microseconds)
	}
	return nil
}

// delays are quantiles of each round, in microseconds.
type delays struct{ p50, p99 series.Series }

func microseconds(s series.Series) string { return fmt.Sprintf("%.0f µs", s.Median()) }

// travel sends events at the fixed rate and adds how long they took to be in
// the sink.
func (w *way) travel(ctx context.Context, b *bench) error {
	first := b.sent
	r, err := b.load(ctx, job{
		Address: w.address, Connections: hopConnections, Rate: hopRate,
		Count: int(hopRate * b.duration.Seconds()), Conversations: 10_000, Channels: 1,
	})
	if err != nil {
		return err
	}
	w.sent += r.Sent
	got, err := w.sink.waitReceived(ctx, w.sent)
	if err != nil {
		return err
	}
	times := make([]float64, len(r.SentAt))
	for i, sent := range r.SentAt {
		arrived, ok := got.Arrivals[first+i]
		if !ok {
			return fmt.Errorf("event %d never reached the sink", first+i)
		}
		times[i] = float64(time.Duration(arrived-sent).Nanoseconds()) / 1000
	}
	w.delays.p50 = append(w.delays.p50, series.Series(times).Quantile(0.5))
	w.delays.p99 = append(w.delays.p99, series.Series(times).Quantile(0.99))
	return nil
}

// hopRow compares one quantile; most is the highest multiple asked for, 0 for
// none.
func hopRow(measure, unit string, base, ours series.Series, most float64) benchmark.Row {
	ratio := ours.Over(base)
	r := benchmark.Row{Figure: 5, Measure: measure, Baseline: microseconds(base), Measured: microseconds(ours), Result: ratio.Spread() + " " + unit}
	if most > 0 {
		r.Asked, r.Met = fmt.Sprintf("at most %.0f", most), ratio.Median() <= most
	}
	return r
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/test/series"
)

const (
	hopRate        = 1000 // events/s
	hopConnections = 64
)

// figure5 is the way of an event from the webhook to the sink, as a multiple of
// one bare hop: the same client sending the same events straight to the sink.
// Both end when the sink has read the body.
func figure5(ctx context.Context, b *bench) (err error) {
	sink, err := b.startServer(ctx, serverSettings{Status: 200, Record: true})
	if err != nil {
		return err
	}
	defer sink.process.Kill()
	c, err := b.startConnector(ctx, connectorSettings{Channels: 1, Sink: sink.url()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()

	var hops, ways delays
	total := 0
	for range b.rounds {
		for _, side := range []struct {
			address string
			delays  *delays
		}{{sink.address, &hops}, {c.Server, &ways}} {
			total += int(hopRate * b.duration.Seconds())
			if err := b.travel(ctx, side.address, sink, total, side.delays); err != nil {
				return err
			}
		}
	}
	b.table.add(hopRow("p50", hops.p50, ways.p50, 5))
	b.table.add(hopRow("p99", hops.p99, ways.p99, 0))
	return nil
}

// delays are quantiles of each round, in microseconds.
type delays struct{ p50, p99 series.Series }

// travel sends events at the fixed rate and adds how long they took to be in
// the sink. total is how many the sink will have had then.
func (b *bench) travel(ctx context.Context, address string, sink *bareServer, total int, d *delays) error {
	first := b.sent
	r, err := b.load(ctx, job{
		Address: address, Connections: hopConnections, Rate: hopRate,
		Count: int(hopRate * b.duration.Seconds()), Conversations: 10_000, Channels: 1,
	})
	if err != nil {
		return err
	}
	got, err := sink.waitReceived(ctx, total)
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
	d.p50 = append(d.p50, series.Series(times).Quantile(0.5))
	d.p99 = append(d.p99, series.Series(times).Quantile(0.99))
	return nil
}

// hopRow compares one quantile; most is the highest multiple asked for, 0 for
// none.
func hopRow(name string, hops, ways series.Series, most float64) row {
	ratio := ways.Over(hops)
	r := row{
		figure: 5, measure: "webhook to sink at 1,000 events/s, " + name + " (baseline: one bare hop)",
		baseline: fmt.Sprintf("%.0f µs", hops.Median()), connector: fmt.Sprintf("%.0f µs", ways.Median()),
		result: ratio.Spread() + " hops",
	}
	if most > 0 {
		r.asked, r.met = fmt.Sprintf("at most %.0f", most), ratio.Median() <= most
	}
	return r
}

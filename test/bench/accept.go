package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/test/series"
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
	c, err := b.startConnector(ctx, connectorSettings{Channels: 1, Paused: true, Sink: noSink})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()

	bare, ours, err := b.compare(ctx, b.accepts(baseline.address, 1), b.accepts(c.Server, 1))
	if err != nil {
		return err
	}
	ratio := ours.Over(bare)
	b.table.add(row{
		figure: 1, measure: "accept, delivery paused",
		baseline: perSecond(bare), connector: perSecond(ours),
		result: ratio.Spread() + " of baseline", asked: "at least 0.6", met: ratio.Median() >= 0.6,
	})
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
	sink, err := b.startServer(ctx, serverSettings{Status: 200})
	if err != nil {
		return err
	}
	defer sink.process.Kill()
	c, err := b.startConnector(ctx, connectorSettings{Channels: 1, Sink: sink.url()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()

	delivered, behind := 0, series.Series{}
	bare, ours, err := b.compare(ctx, b.accepts(baseline.address, 1), func(ctx context.Context) (float64, error) {
		load, err := b.load(ctx, b.fullLoad(c.Server))
		if err != nil {
			return 0, err
		}
		drain := time.Now()
		delivered += load.Sent
		_, err = sink.waitReceived(ctx, delivered)
		late := time.Since(drain)
		behind = append(behind, late.Seconds())
		return float64(load.Sent) / (load.Elapsed + late).Seconds(), err
	})
	if err != nil {
		return err
	}
	ratio := ours.Over(bare)
	b.table.add(row{
		figure: 2, measure: fmt.Sprintf("accept and deliver (sink %.1f s behind at the end)", behind.Median()),
		baseline: perSecond(bare), connector: perSecond(ours),
		result: ratio.Spread() + " of baseline", asked: "at least 0.35", met: ratio.Median() >= 0.35,
	})
	return nil
}

package main

import (
	"context"
	"errors"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
)

const (
	backlog              = 1_000_000
	backlogConversations = 100_000
	// fillStep is how many events of the backlog one load process prepares.
	fillStep = 200_000
	// settle is how long a process is left alone before "idle" is read, and how
	// long the retries of a backlog are watched.
	settle = 5 * time.Second
)

// figure3 is memory, and how soon a killed connector is ready again.
func figure3(ctx context.Context, b *bench) error {
	return b.eachBuild(3, func(of build, add func(benchmark.Row, float64)) error { return b.memory(ctx, of, add) })
}

// memory adds what is measured of one build.
func (b *bench) memory(ctx context.Context, of build, add func(benchmark.Row, float64)) (err error) {
	c, err := b.startConnector(ctx, of, connectorSettings{Channels: 1, Paused: true, Sink: noSink})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()

	if err := c.idle(ctx, 3, "memory idle", 25, add); err != nil {
		return err
	}
	var first report
	err = c.peak("memory under load 1", add, func() error {
		first, err = b.load(ctx, b.fullLoad(c.Server))
		return err
	})
	if err != nil {
		return err
	}
	err = c.peak("memory while a backlog of 1,000,000 over 100,000 conversations is made", add, func() error {
		return b.fill(ctx, c, backlog-first.Sent)
	})
	if err != nil {
		return err
	}
	return b.recovery(ctx, c, add)
}

// fill sends count events over the conversations of the backlog.
func (b *bench) fill(ctx context.Context, c *connector, count int) error {
	for count > 0 {
		j := b.fullLoad(c.Server)
		j.Duration = 0
		j.Count = min(count, fillStep)
		j.Conversations = backlogConversations
		count -= j.Count
		if _, err := b.load(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// recovery kills the connector with its backlog and starts it again: once with
// delivery still paused, once delivering to a sink that takes nothing, which is
// what a backlog looks like in life.
func (b *bench) recovery(ctx context.Context, c *connector, add func(benchmark.Row, float64)) error {
	c.Kill()
	ready, err := c.start(ctx)
	if err != nil {
		return err
	}
	const measure = "ready after SIGKILL with that backlog"
	add(benchmark.Under(3, measure, ready.Seconds(), 5, "s"), ready.Seconds())
	watch := func() error { return benchmark.Pause(ctx, settle) }
	if err := c.peak("memory after that start", add, watch); err != nil {
		return err
	}

	sink, err := b.startServer(ctx, serverSettings{Status: 503})
	if err != nil {
		return err
	}
	defer sink.process.Kill()
	c.Kill()
	c.settings.Paused, c.settings.Sink = false, sink.url()
	if _, err := c.start(ctx); err != nil {
		return err
	}
	return c.peak("memory with that backlog and a sink that answers 503", add, watch)
}

// idle reads the memory of a connector that was left alone.
func (c *connector) idle(ctx context.Context, figure int, measure string, limitMiB float64, add func(benchmark.Row, float64)) error {
	if err := benchmark.Pause(ctx, settle); err != nil {
		return err
	}
	used, err := c.Life().Usage()
	if err == nil {
		add(benchmark.Under(figure, measure, used.Resident, limitMiB, "MiB"), used.Resident)
	}
	return err
}

// peak reads the highest memory of a connector during work. Figure 3 allows
// 128 MiB whatever it does.
func (c *connector) peak(measure string, add func(benchmark.Row, float64), work func() error) error {
	if err := c.Life().ResetPeak(); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	used, err := c.Life().Usage()
	if err == nil {
		add(benchmark.Under(3, measure, used.Peak, 128, "MiB"), used.Peak)
	}
	return err
}

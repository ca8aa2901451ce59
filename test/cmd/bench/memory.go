package main

import (
	"context"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
)

const (
	backlog              = 1_000_000
	backlogConversations = 100_000
	// fillStep is the number of the backlog's events that one load process prepares.
	fillStep = 200_000
	// settle is how long a process is left alone before its idle memory is read, and how long the retries of a backlog
	// are watched.
	settle = 5 * time.Second
)

// figure3 is memory, and the time until a killed connector is ready again.
func (b *bench) figure3(ctx context.Context) {
	b.eachBuild(func(of build, add func(benchmark.Row, float64)) {
		c := b.startConnector(ctx, of, connectorSettings{Channels: 1, Paused: true, Sink: noSink})
		c.idle(ctx, "memory idle", 25, add)
		var first report
		c.peak("memory under load 1", add, func() { first = b.load(ctx, b.fullLoad(c.Server)) })
		c.peak("memory while a backlog of 1,000,000 over 100,000 conversations is made", add, func() {
			b.fill(ctx, c, backlog-first.Sent)
		})
		b.recovery(ctx, c, add)
	})
}

// fill sends count events over the conversations of the backlog.
func (b *bench) fill(ctx context.Context, c *connector, count int) {
	for ; count > 0; count -= fillStep {
		j := b.fullLoad(c.Server)
		j.Duration, j.Count, j.Conversations = 0, min(count, fillStep), backlogConversations
		b.load(ctx, j)
	}
}

// recovery kills the connector with its backlog and starts it again: once with delivery still paused, once delivering
// to a sink that takes nothing, as a backlog is in life.
func (b *bench) recovery(ctx context.Context, c *connector, add func(benchmark.Row, float64)) {
	c.Kill()
	ready := c.start(ctx).Seconds()
	add(benchmark.Under("ready after SIGKILL with that backlog", ready, 5, "s"), ready)
	watch := func() { benchmark.Pause(ctx, settle) }
	c.peak("memory after that start", add, watch)

	c.settings.Paused, c.settings.Sink = false, b.startServer(ctx, serverSettings{Status: 503}).url()
	c.Kill()
	c.start(ctx)
	c.peak("memory with that backlog and a sink that answers 503", add, watch)
}

// idle reads the memory of a connector that was left alone.
func (c *connector) idle(ctx context.Context, measure string, limitMiB float64, add func(benchmark.Row, float64)) {
	benchmark.Pause(ctx, settle)
	resident := must.Get(c.Life().Usage()).Resident
	add(benchmark.Under(measure, resident, limitMiB, "MiB"), resident)
}

// peak reads the highest memory of a connector during work. Figure 3 allows 128 MiB for any work.
func (c *connector) peak(measure string, add func(benchmark.Row, float64), work func()) {
	must.Do(c.Life().ResetPeak())
	work()
	peak := must.Get(c.Life().Usage()).Peak
	add(benchmark.Under(measure, peak, 128, "MiB"), peak)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
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
	for _, of := range b.builds {
		if err := b.memory(ctx, of); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) memory(ctx context.Context, of build) (err error) {
	c, err := b.startConnector(ctx, of, connectorSettings{Channels: 1, Paused: true, Sink: noSink})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()

	if err := b.idle(ctx, 3, "memory idle"+b.whose(of), c, 25); err != nil {
		return err
	}
	var first report
	err = b.peak(c, "memory under load 1", func() error {
		first, err = b.load(ctx, b.fullLoad(c.Server))
		return err
	})
	if err != nil {
		return err
	}
	err = b.peak(c, "memory while a backlog of 1,000,000 over 100,000 conversations is made", func() error {
		return b.fill(ctx, c, backlog-first.Sent)
	})
	if err != nil {
		return err
	}
	return b.recovery(ctx, c)
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
func (b *bench) recovery(ctx context.Context, c *connector) error {
	c.process.Kill()
	ready, err := c.start(ctx)
	if err != nil {
		return err
	}
	b.table.add(row{
		figure: 3, measure: "ready after SIGKILL with that backlog" + b.whose(c.build),
		result: ready.Round(time.Millisecond).String(), asked: "within 5s", met: ready <= 5*time.Second,
	})
	watch := func() error { return pause(ctx, settle) }
	if err := b.peak(c, "memory after that start", watch); err != nil {
		return err
	}

	sink, err := b.startServer(ctx, serverSettings{Status: 503})
	if err != nil {
		return err
	}
	defer sink.process.Kill()
	c.process.Kill()
	c.settings.Paused, c.settings.Sink = false, sink.url()
	if _, err := c.start(ctx); err != nil {
		return err
	}
	return b.peak(c, "memory with that backlog and a sink that answers 503", watch)
}

// idle reads the memory of a connector that was left alone.
func (b *bench) idle(ctx context.Context, figure int, measure string, c *connector, limitMiB float64) error {
	if err := pause(ctx, settle); err != nil {
		return err
	}
	used, err := c.process.Memory("VmRSS")
	if err != nil {
		return err
	}
	b.table.add(memoryRow(figure, measure, used, limitMiB))
	return nil
}

// peak reads the highest memory of a connector during work. Figure 3 allows
// 128 MiB whatever it does.
func (b *bench) peak(c *connector, measure string, work func() error) error {
	// "5" resets the high-water mark, see proc(5).
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", c.process.PID()), []byte("5"), 0); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	used, err := c.process.Memory("VmHWM")
	if err != nil {
		return err
	}
	b.table.add(memoryRow(3, measure+b.whose(c.build), used, 128))
	return nil
}

func memoryRow(figure int, measure string, usedMiB, limitMiB float64) row {
	return row{
		figure: figure, measure: measure, result: fmt.Sprintf("%.1f MiB", usedMiB),
		asked: fmt.Sprintf("under %.0f MiB", limitMiB), met: usedMiB < limitMiB,
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

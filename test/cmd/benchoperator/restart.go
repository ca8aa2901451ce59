package main

import (
	"context"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
)

// restart is figure 3.
func restart(ctx context.Context, b *bench) error {
	before, eventsBefore := b.journal.writes()
	if err := b.restartOperator(ctx); err != nil {
		return err
	}
	took := time.Since(b.operator.started)
	b.Add(benchmark.Under(3, fmt.Sprintf("restart with %d settled resources, until all are reconciled", b.resources), took.Seconds(), 30, "s"))
	if err := benchmark.Pause(ctx, calm); err != nil {
		return err
	}
	after, eventsAfter := b.journal.writes()
	b.Add(benchmark.Row{
		Figure: 3, Measure: "writes caused by that restart, and events", Asked: "none",
		Result: fmt.Sprintf("%d, %d", after-before, eventsAfter-eventsBefore),
		Met:    after == before && eventsAfter == eventsBefore,
	})
	return nil
}

// restartOperator ends the operator, starts it and waits until it has caught up:
// its queue holds every resource before the first one is taken from it, so an
// empty queue says that all were reconciled.
func (b *bench) restartOperator(ctx context.Context) error {
	if err := b.operator.stop(); err != nil {
		return err
	}
	if err := b.startOperator(ctx); err != nil {
		return err
	}
	scrape := time.NewTicker(scrapeEvery)
	defer scrape.Stop()
	return b.await(ctx, "passes after the restart", b.resources, func() int {
		select {
		case <-scrape.C:
			return b.caughtUp(ctx)
		case <-ctx.Done():
			return 0
		}
	})
}

// scrapeEvery leaves the processors to the operator: an answer with its metrics
// takes as much of them as ten passes.
const scrapeEvery = 250 * time.Millisecond

// caughtUp is how many resources are reconciled; all of them only when the queue is
// empty.
func (b *bench) caughtUp(ctx context.Context) int {
	p, err := b.operator.passes(ctx)
	switch {
	case err != nil:
		return 0 // not served yet
	case p.waiting+p.running > 0:
		return min(int(p.done), b.resources-1)
	}
	return int(p.done)
}

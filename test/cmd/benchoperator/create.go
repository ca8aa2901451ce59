package main

import (
	"context"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// createAtOnce is the first part of figure 1: resources created as fast as the
// API server takes them.
func createAtOnce(ctx context.Context, b *bench) error {
	if err := b.makeSecrets(ctx, 0, b.small); err != nil {
		return err
	}
	before, err := process.FamilyProcessors()
	if err != nil {
		return err
	}
	if err := forEach(ctx, 0, b.small, b.create); err != nil {
		return err
	}
	b.resources = b.small
	if err := b.await(ctx, "resources with all children", b.resources, b.journal.completed); err != nil {
		return err
	}
	after, err := process.FamilyProcessors()
	if err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	var first, last time.Time
	for i := range b.small {
		h := b.journal.history(keyOf(i))
		if i == 0 || h.created.Before(first) {
			first = h.created
		}
		if complete, _ := h.complete(); complete.After(last) {
			last = complete
		}
	}
	took := last.Sub(first)
	row := benchmark.Under(1, fmt.Sprintf("%d resources created at once, until all children are there", b.small), took.Seconds(), 60, "s")
	row.Result += fmt.Sprintf(" (processors busy with it for %.1f s)", (after - before).Seconds())
	b.Add(row)
	b.writesOf(0, b.small, fmt.Sprintf("%d created at once", b.small))
	return nil
}

// createSingly is the second part: a user creates one resource while all others
// are settled.
func createSingly(ctx context.Context, b *bench) error {
	from, to := b.resources, b.resources+b.singleCreates
	if err := b.makeSecrets(ctx, from, to); err != nil {
		return err
	}
	times := series.Series{}
	for i := from; i < to; i++ {
		if err := b.create(ctx, i); err != nil {
			return err
		}
		b.resources++
		if err := b.awaitReady(ctx, i); err != nil {
			return err
		}
		h := b.journal.history(keyOf(i))
		complete, _ := h.complete()
		times = append(times, milliseconds(complete.Sub(h.created)))
	}
	b.Add(benchmark.Row{
		Figure: 1, Measure: fmt.Sprintf("create to children beside %d settled resources, p50 of %d", from, b.singleCreates),
		Asked: "under 100 ms", Result: spread(times), Met: times.Median() < 100,
	})
	if err := b.settle(ctx); err != nil {
		return err
	}
	b.writesOf(from, to, fmt.Sprintf("%d created one after another", b.singleCreates))
	return nil
}

// awaitReady waits until a resource is Ready and the operator pauses.
func (b *bench) awaitReady(ctx context.Context, i int) error {
	const breath = 100 * time.Millisecond
	return b.await(ctx, keyOf(i).Name+" Ready", 1, func() int {
		c := &v1alpha1.ChannelConnector{}
		if b.journal.quiet() < breath || b.cluster.client.Get(ctx, keyOf(i), c) != nil || !isReady(c) {
			return 0
		}
		return 1
	})
}

// writesOf adds what it took to make resources Ready: each child once, the status
// when the children are there, and once more when the workload is available.
func (b *bench) writesOf(from, to int, which string) {
	most, all := 0, 0
	for i := from; i < to; i++ {
		h := b.journal.history(keyOf(i))
		most, all = max(most, h.writes), all+h.writes
	}
	allowed := len(childKinds) + 2
	b.Add(benchmark.Row{
		Figure: 1, Measure: fmt.Sprintf("writes for each of %s, of %d children", which, len(childKinds)),
		Asked: fmt.Sprintf("at most %d", allowed), Result: fmt.Sprintf("%.2f (most %d)", float64(all)/float64(to-from), most),
		Met: most <= allowed,
	})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// spread writes times in milliseconds.
func spread(times series.Series) string {
	return fmt.Sprintf("%.0f ms (p95 %.0f, most %.0f)", times.Median(), times.Quantile(0.95), times.Quantile(1))
}

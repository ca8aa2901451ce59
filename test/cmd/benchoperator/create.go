package main

import (
	"context"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// createAtOnce is the first part of figure 1: resources created as fast as the API server takes them.
func (b *bench) createAtOnce(ctx context.Context) {
	b.makeSecrets(ctx, 0, b.small)
	before := must.Get(process.FamilyProcessors())
	must.Do(forEach(ctx, 0, b.small, b.create))
	b.resources = b.small
	b.awaitChildren(ctx)
	busy := must.Get(process.FamilyProcessors()) - before
	b.settle(ctx)
	first, last := time.Now(), time.Time{}
	for i := range b.small {
		h := b.journal.history(keyOf(i))
		if h.created.Before(first) {
			first = h.created
		}
		if h.completed.After(last) {
			last = h.completed
		}
	}
	measure := fmt.Sprintf("%d resources created at once, until all children are there", b.small)
	row := benchmark.Under(measure, last.Sub(first).Seconds(), 60, "s")
	row.Result += fmt.Sprintf(" (processors busy with it for %.1f s)", busy.Seconds())
	b.Add(row)
	b.addWritesOf(0, b.small, fmt.Sprintf("%d created at once", b.small))
}

// singleCreates is the number of resources that are created one after another.
const singleCreates = 50

// createSingly is the second part: a user creates one resource while all others are settled.
func (b *bench) createSingly(ctx context.Context) {
	from, to := b.resources, b.resources+singleCreates
	b.makeSecrets(ctx, from, to)
	times := series.Series{}
	for i := from; i < to; i++ {
		b.create(ctx, i)
		b.resources++
		b.awaitReady(ctx, i)
		h := b.journal.history(keyOf(i))
		times = append(times, milliseconds(h.completed.Sub(h.created)))
	}
	b.Add(benchmark.Row{
		Measure: fmt.Sprintf("create to children beside %d settled resources, p50 of %d", from, singleCreates),
		Asked:   "under 100 ms", Result: spread(times), Met: times.Median() < 100,
	})
	b.settle(ctx)
	b.addWritesOf(from, to, fmt.Sprintf("%d created one after another", singleCreates))
}

// awaitReady waits until a resource is Ready and the operator pauses.
func (b *bench) awaitReady(ctx context.Context, i int) {
	const breath = 100 * time.Millisecond
	b.await(ctx, keyOf(i).Name+" Ready", 1, func() int {
		c := &v1alpha1.ChannelConnector{}
		if b.journal.tally().quiet() < breath || b.cluster.client.Get(ctx, keyOf(i), c) != nil || !isReady(c) {
			return 0
		}
		return 1
	})
}

// addWritesOf adds the writes that made resources Ready: each child once, the status when the children are there, and
// once more when the workload is available.
func (b *bench) addWritesOf(from, to int, which string) {
	most, all := 0, 0
	for i := from; i < to; i++ {
		h := b.journal.history(keyOf(i))
		most, all = max(most, h.writes), all+h.writes
	}
	allowed := childrenOfEach + 2
	b.Add(benchmark.Row{
		Measure: fmt.Sprintf("writes for each of %s, of %d children", which, childrenOfEach),
		Asked:   fmt.Sprintf("at most %d", allowed), Result: fmt.Sprintf("%.2f (most %d)", float64(all)/float64(to-from), most),
		Met: most <= allowed,
	})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// spread writes times in milliseconds.
func spread(times series.Series) string {
	return fmt.Sprintf("%.0f ms (p95 %.0f, most %.0f)", times.Median(), times.Quantile(0.95), times.Quantile(1))
}

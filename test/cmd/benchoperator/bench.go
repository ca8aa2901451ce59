package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
)

// bench is one run of the benchmark.
type bench struct {
	*benchmark.Run
	// small is the number of resources of most figures.
	small int
	// binary is the path of the operator.
	binary string

	cluster  *cluster
	operator *operator
	journal  *journal
	// resources is the number of them, rolled that of their Deployments that are marked as rolled out.
	resources int
	rolled    atomic.Int64
}

// many is the number of resources of the later figures, and of Secrets that no resource names.
func (b *bench) many() int { return 5 * b.small }

// measure runs the steps of the chosen figures, with the parts that go on beside them.
func (b *bench) measure(ctx context.Context) {
	if b.small < 1 {
		must.Do(fmt.Errorf("-resources %d: want at least 1", b.small))
	}
	benchmark.Sayf("starting etcd and the API server …")
	b.startCluster()
	ctx, cancel := context.WithCancel(ctx)
	beside, ctx := errgroup.WithContext(ctx)
	b.journal = newJournal()
	beside.Go(func() error { return b.journal.follow(ctx, b.cluster.auditLog) })
	beside.Go(func() error { return b.rollOut(ctx) })
	b.Cleanup(func() { cancel(); must.Do(beside.Wait()) })

	b.makeNamespaces(ctx)
	b.startOperator(ctx)
	b.Cleanup(func() { b.operator.stop() })
	// The steps are in the order of the number of settled resources that each needs, which only grows.
	for _, s := range []struct {
		figure, size int
		run          func(context.Context)
	}{
		{1, 0, b.createAtOnce},
		{2, b.small, func(ctx context.Context) { b.memory(ctx, "", memoryLimitSmall) }},
		{2, b.small, b.unrelatedSecrets},
		{1, b.small, b.createSingly},
		{4, b.small, b.changeSecrets},
		{2, b.many(), func(ctx context.Context) { b.memory(ctx, "", memoryLimitLarge) }},
		{3, b.many(), b.restart},
		{2, b.many(), b.memoryRestarted},
		{4, b.many(), b.changeSecrets},
		{5, b.many(), b.polling},
	} {
		if b.Chosen(s.figure) {
			b.populate(ctx, s.size)
			b.Figure(s.figure, func() { s.run(ctx) })
		}
	}
}

const (
	// patience bounds every wait.
	patience = 15 * time.Minute
	// reportEvery is the pause between two reports of a wait.
	reportEvery = 5 * time.Second
)

// await polls until seen returns all. It fails if the operator or the benchmark ends. what names the counted things.
func (b *bench) await(ctx context.Context, what string, all int, seen func() int) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reported := time.Now()
	must.Do(b.operator.Wait(ctx, what, func(context.Context) bool {
		n := seen()
		if time.Since(reported) > reportEvery {
			reported = time.Now()
			benchmark.Sayf("  %s: %d of %d (%d writes refused)", what, n, all, b.journal.tally().refused)
		}
		return n >= all
	}))
}

func (b *bench) awaitChildren(ctx context.Context) {
	b.await(ctx, "resources with all children", b.resources, func() int { return b.journal.tally().complete })
}

// awaitCalm waits until the operator writes nothing.
func (b *bench) awaitCalm(ctx context.Context) {
	b.await(ctx, "seconds without a write", int(calm.Seconds()), func() int { return int(b.journal.tally().quiet().Seconds()) })
}

// addWrites adds the row of the operator's writes since a tally. None are asked.
func (b *bench) addWrites(measure string, before tally) {
	after := b.journal.tally()
	writes, events := after.writes-before.writes, after.events-before.events
	b.Add(benchmark.Row{Measure: measure, Asked: "none", Result: fmt.Sprintf("%d, %d", writes, events), Met: writes+events == 0})
}

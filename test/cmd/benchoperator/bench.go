package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
)

// step is a part of a figure.
type step struct {
	figure int
	// size is the number of settled resources that it needs.
	size int
	run  func(context.Context, *bench) error
}

// steps are in the order of the number of resources, which only grows.
func (b *bench) steps() []step {
	return []step{
		{1, 0, createAtOnce},
		{2, b.small, memorySmall},
		{2, b.small, unrelatedSecrets},
		{1, b.small, createSingly},
		{4, b.small, changeSecrets},
		{2, b.large, memoryLarge},
		{3, b.large, restart},
		{2, b.large, memoryRestarted},
		{4, b.large, changeSecrets},
		{5, b.large, polling},
	}
}

// measure runs the steps of the chosen figures, with what goes on beside them.
func (b *bench) measure(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	beside, ctx := errgroup.WithContext(ctx)
	b.journal = newJournal()
	beside.Go(func() error { return b.journal.follow(ctx, b.cluster.auditLog) })
	beside.Go(func() error { return b.rollOut(ctx) })
	defer func() { err = errors.Join(err, beside.Wait()) }()
	defer cancel()

	if err := b.makeNamespaces(ctx); err != nil {
		return err
	}
	if err := b.startOperator(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.operator.stop()) }()
	for _, s := range b.steps() {
		if !slices.Contains(b.Figures, s.figure) {
			continue
		}
		if err := b.populate(ctx, s.size); err != nil {
			return fmt.Errorf("%d resources: %w", s.size, err)
		}
		if err := b.Figure(s.figure, func() error { return s.run(ctx, b) }); err != nil {
			return err
		}
	}
	return nil
}

const (
	// patience is how long anything may take that is waited for.
	patience = 15 * time.Minute
	// reportEvery is how often a person hears of what is waited for.
	reportEvery = 5 * time.Second
)

// await polls until all of them are there. It gives up when the operator or the
// benchmark ends; what says what is waited for.
func (b *bench) await(ctx context.Context, what string, all int, seen func() int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reported := time.Now()
	return b.operator.Wait(ctx, what, func(context.Context) bool {
		n := seen()
		if time.Since(reported) > reportEvery {
			reported = time.Now()
			benchmark.Sayf("  %s: %d of %d (%d writes refused)", what, n, all, b.journal.refusals())
		}
		return n >= all
	})
}

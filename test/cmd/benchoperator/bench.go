package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// bench is one run of the benchmark.
type bench struct {
	options
	cluster  *cluster
	operator *operator
	journal  *journal
	folder   string // for everything on disk, removed at the end
	table    *table
	// resources is how many there are, rolled how many of their Deployments are
	// marked as rolled out.
	resources int
	rolled    atomic.Int64
}

const lastFigure = 5

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
		if !slices.Contains(b.figures, s.figure) {
			continue
		}
		if err := b.populate(ctx, s.size); err != nil {
			return fmt.Errorf("%d resources: %w", s.size, err)
		}
		b.sayf("figure %d …", s.figure)
		if err := s.run(ctx, b); err != nil {
			return fmt.Errorf("figure %d: %w", s.figure, err)
		}
	}
	return nil
}

func (b *bench) sayf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

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
	err := b.operator.process.Wait(ctx, what, func(context.Context) bool {
		n := seen()
		if time.Since(reported) > reportEvery {
			reported = time.Now()
			b.sayf("  %s: %d of %d (%d writes refused)", what, n, all, b.journal.refusals())
		}
		return n >= all
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, b.operator.lastLog())
	}
	return nil
}

// pause waits; what is measured then is the operator at rest.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

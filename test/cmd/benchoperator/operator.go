package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// operator is the operator under test: the real binary with its default flags.
type operator struct {
	process.Program
	started time.Time
}

// startOperator starts the operator and waits until it is ready.
func (b *bench) startOperator(ctx context.Context) {
	addresses := must.Get(reserved.Addresses(2))
	b.operator = &operator{started: time.Now(), Program: process.Program{
		ReadyURL: "http://" + addresses[1] + "/readyz", MetricsURL: "http://" + addresses[0] + "/metrics",
		Log: filepath.Join(b.Folder, "operator.log"),
		Command: func(ctx context.Context) *exec.Cmd {
			cmd := exec.CommandContext(ctx, b.binary, "--connector-image", "registry.invalid/connector:1",
				"--metrics-auth=false", "--metrics-bind-address", addresses[0], "--health-probe-bind-address", addresses[1])
			cmd.Env = append(os.Environ(), "KUBECONFIG="+b.cluster.kubeconfig)
			return cmd
		},
	}}
	must.Get(b.operator.Start(ctx))
}

func (o *operator) stop() { must.Do(o.Stop(time.Minute)) }

// restart is figure 3.
func (b *bench) restart(ctx context.Context) {
	before := b.journal.tally()
	b.restartOperator(ctx)
	took := time.Since(b.operator.started)
	b.Add(benchmark.Under(fmt.Sprintf("restart with %d settled resources, until all are reconciled", b.resources), took.Seconds(), 30, "s"))
	benchmark.Pause(ctx, calm)
	b.addWrites("writes caused by that restart, and events", before)
}

// scrapeEvery leaves the processors to the operator: an answer with its metrics takes as much of them as ten passes.
const scrapeEvery = 250 * time.Millisecond

// restartOperator ends the operator, starts it and waits until it has caught up. Its queue holds every resource before
// the first one is taken from it, so all were reconciled once the queue is empty.
func (b *bench) restartOperator(ctx context.Context) {
	b.operator.stop()
	b.startOperator(ctx)
	b.awaitPasses(ctx)
}

// awaitPasses waits until every resource was reconciled and none waits for that.
func (b *bench) awaitPasses(ctx context.Context) {
	b.await(ctx, "passes", b.resources, func() int {
		benchmark.Pause(ctx, scrapeEvery)
		return b.caughtUp(ctx)
	})
}

// caughtUp is the number of reconciled resources. It is below that of all while any waits or is under way.
func (b *bench) caughtUp(ctx context.Context) int {
	metrics, err := b.operator.Scrape(ctx)
	if err != nil {
		return 0 // not served yet
	}
	done := int(metrics.Sum("controller_runtime_reconcile_total"))
	if metrics.Sum("workqueue_depth")+metrics.Sum("controller_runtime_active_workers") > 0 {
		return min(done, b.resources-1)
	}
	return done
}

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// operator is the operator under test: the real binary with its default flags.
type operator struct {
	process.Program
	started time.Time
}

// startOperator starts the operator and waits until it is ready.
func (b *bench) startOperator(ctx context.Context) error {
	addresses, err := reserved.Addresses(2)
	if err != nil {
		return err
	}
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
	_, err = b.operator.Start(ctx)
	return err
}

func (o *operator) stop() error { return o.Stop(time.Minute) }

// passes are what the operator's metrics say of its work.
type passes struct {
	// done is the number of reconciliations since the start, waiting that of
	// resources in the queue, running that of reconciliations under way.
	done, waiting, running float64
}

func (o *operator) passes(ctx context.Context) (passes, error) {
	metrics, err := o.Scrape(ctx)
	return passes{
		done:    metrics.Sum("controller_runtime_reconcile_total"),
		waiting: metrics.Sum("workqueue_depth"),
		running: metrics.Sum("controller_runtime_active_workers"),
	}, err
}

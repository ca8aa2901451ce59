package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// operator is the operator under test: the real binary with its default flags.
type operator struct {
	process *process.Process
	metrics string
	log     string
	started time.Time
}

// startOperator starts the operator and waits until it is ready.
func (b *bench) startOperator(ctx context.Context) error {
	addresses, err := reserved.Addresses(2)
	if err != nil {
		return err
	}
	o := &operator{metrics: addresses[0], log: filepath.Join(b.folder, "operator.log"), started: time.Now()}
	log, err := os.OpenFile(o.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(ctx, b.binary, "--connector-image", "registry.invalid/connector:1",
		"--metrics-auth=false", "--metrics-bind-address", o.metrics, "--health-probe-bind-address", addresses[1])
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.cluster.kubeconfig)
	cmd.Stdout, cmd.Stderr = log, log
	if o.process, err = process.Start(cmd); err != nil {
		return err
	}
	b.operator = o
	if err := o.process.Wait(ctx, "readiness", process.Answers("http://"+addresses[1]+"/readyz")); err != nil {
		return fmt.Errorf("%w\n%s", err, o.lastLog())
	}
	return nil
}

func (o *operator) stop() error {
	if err := o.process.Stop(time.Minute); err != nil {
		return fmt.Errorf("%w\n%s", err, o.lastLog())
	}
	return nil
}

// passes are what the operator's metrics say of its work.
type passes struct {
	// done is the number of reconciliations since the start, waiting that of
	// resources in the queue, running that of reconciliations under way.
	done, waiting, running float64
}

func (o *operator) passes(ctx context.Context) (passes, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.metrics+"/metrics", http.NoBody)
	if err != nil {
		return passes{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return passes{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return passes{}, fmt.Errorf("the operator's metrics: %w", err)
	}
	return passes{
		done:    total(families["controller_runtime_reconcile_total"]),
		waiting: total(families["workqueue_depth"]),
		running: total(families["controller_runtime_active_workers"]),
	}, nil
}

// total adds up the series of a counter or a gauge.
func total(family *dto.MetricFamily) (sum float64) {
	for _, series := range family.GetMetric() {
		sum += series.GetCounter().GetValue() + series.GetGauge().GetValue()
	}
	return sum
}

// lastLog returns the end of the operator's log, for an error message.
func (o *operator) lastLog() string {
	text, err := os.ReadFile(o.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

package process

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// startTimeout bounds a start, which takes far less.
const startTimeout = time.Minute

// Program is a program that runs many times; each run is a life.
type Program struct {
	// Command makes the command of a life, which ends with ctx.
	Command func(ctx context.Context) *exec.Cmd
	// ReadyURL answers 200 once a life serves; MetricsURL serves its metrics.
	ReadyURL, MetricsURL string
	// Log is the file to which all lives write, unless Output takes it.
	Log    string
	Output io.Writer

	mu   sync.Mutex
	life *Process
}

// Life returns the latest life, nil before the first one.
func (p *Program) Life() *Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// Launch begins a life, which need not be ready yet.
func (p *Program) Launch(ctx context.Context) error {
	cmd := p.Command(ctx)
	out := p.Output
	if out == nil {
		log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }() // the child has a copy
		out = log
	}
	cmd.Stdout, cmd.Stderr = out, out
	life, err := Start(cmd)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life = life
	return nil
}

// Start begins a life and returns how long it took to be ready.
func (p *Program) Start(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	if err := p.Launch(ctx); err != nil {
		return 0, err
	}
	err := p.AwaitReady(ctx)
	return time.Since(begin), err
}

// AwaitReady waits until the life serves, for at most a minute.
func (p *Program) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return p.Wait(ctx, "readiness", Answers(p.ReadyURL))
}

// Wait waits as the life's Wait does; the error has the end of the log.
func (p *Program) Wait(ctx context.Context, what string, ready func(context.Context) bool) error {
	return p.explained(p.Life().Wait(ctx, what, ready))
}

// Stop ends the life in order; the error has the end of the log.
func (p *Program) Stop(grace time.Duration) error { return p.explained(p.Life().Stop(grace)) }

// Kill kills the life, if there was any.
func (p *Program) Kill() {
	if life := p.Life(); life != nil {
		life.Kill()
	}
}

func (p *Program) explained(err error) error {
	if err == nil || p.Log == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, p.LastLog())
}

// LastLog is the end of the log, for an error message.
func (p *Program) LastLog() string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8000):])
}

// fresh makes each call on a connection of its own, as kubelet and Prometheus may.
var fresh = http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Metrics are the families that the life serves.
type Metrics map[string]*dto.MetricFamily

// Scrape reads the metrics, within 5 s.
func (p *Program) Scrape(ctx context.Context) (Metrics, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.MetricsURL, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := fresh.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("the metrics at %s: %w", p.MetricsURL, err)
	}
	return families, nil
}

// Sum adds up the series of a counter or a gauge, 0 if there are none.
func (m Metrics) Sum(name string) (sum float64) {
	for _, series := range m[name].GetMetric() {
		sum += series.GetCounter().GetValue() + series.GetGauge().GetValue()
	}
	return sum
}

// Value returns a metric, summed up over its series. It fails if the life has no such metric.
func (p *Program) Value(ctx context.Context, name string) (float64, error) {
	metrics, err := p.Scrape(ctx)
	if err == nil && metrics[name] == nil {
		err = fmt.Errorf("no metric %s", name)
	}
	return metrics.Sum(name), err
}

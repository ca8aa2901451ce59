package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"text/template"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
	"xbot.a4b.vn/channel-connector/test/kit/wallclock"
)

const (
	// gracePeriod is stop.gracePeriod of the configuration.
	gracePeriod = 10 * time.Second
	// startTimeout bounds a start, far beyond what it takes.
	startTimeout = time.Minute
	// memoryLimit is GOMEMLIMIT, since the process has no cgroup of its own: what it
	// makes of one with the operator's default limit, 256 MiB.
	memoryLimit = "214748364"
)

//go:embed connector.yaml.tmpl
var configText string

var configTemplate = template.Must(template.New("connector.yaml").Parse(configText))

// settings are the values of the configuration file.
type settings struct {
	Server, Metrics, Admin, Inbox, SinkKey string
	Channels                               []channelSettings
}

// channelSettings are those of one channel.
type channelSettings struct {
	Name, Sink       string
	APIKeys, Secrets []string
}

// connector is the real process, over many lives.
type connector struct {
	settings
	binary, folder string
	clock          wallclock.Clock
	log            *logJudge

	mu      sync.Mutex
	process *process.Process
	memory  float64 // the most of this life, in MiB
}

func newConnector(binary, folder, inbox string, clock wallclock.Clock, log *logJudge) (*connector, error) {
	addresses, err := reserved.Addresses(3)
	if err != nil {
		return nil, err
	}
	return &connector{
		settings: settings{Server: addresses[0], Metrics: addresses[1], Admin: addresses[2], Inbox: inbox},
		binary:   binary, folder: folder, clock: clock, log: log,
	}, os.MkdirAll(folder, 0o700)
}

func (c *connector) configPath() string { return filepath.Join(c.folder, "connector.yaml") }

// writeConfig replaces the configuration in one step.
func (c *connector) writeConfig() error {
	var text bytes.Buffer
	if err := configTemplate.Execute(&text, c.settings); err != nil {
		return err
	}
	return c.replaceConfig(text.Bytes())
}

func (c *connector) replaceConfig(text []byte) error {
	next := c.configPath() + ".next"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.configPath())
}

// launch starts the process, which may have this many files open.
func (c *connector) launch(files int) error {
	cmd := exec.Command("/bin/sh", "-c", `ulimit -n "$1"; shift; exec "$@"`, "sh",
		strconv.Itoa(files), c.binary, "serve", "--config", c.configPath())
	cmd.Env = append(os.Environ(), "GOMEMLIMIT="+memoryLimit, c.clock.Env())
	cmd.Stdout, cmd.Stderr = c.log, c.log
	started, err := process.Start(cmd)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process, c.memory = started, 0
	return err
}

// start starts the process and returns how long it took to be ready.
func (c *connector) start(ctx context.Context, files int) (time.Duration, error) {
	begin := time.Now()
	if err := c.launch(files); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := c.process.Wait(ctx, "readiness", process.Answers("http://"+c.Metrics+"/readyz"))
	return time.Since(begin), err
}

// ended reports whether the process has ended.
func (c *connector) ended() bool {
	select {
	case <-c.process.Done():
		return true
	default:
		return false
	}
}

func (c *connector) kill() {
	if c.process == nil {
		return // it was never started
	}
	c.process.Kill()
	c.log.killed()
}

// stop ends the process in order. The error says that it took longer than the grace
// period or had another exit code than 0.
func (c *connector) stop() error { return c.process.Stop(gracePeriod) }

// look notes the memory of a life, and returns it with the number of open files.
func (c *connector) look() (memory float64, files int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return 0, 0
	}
	if now, err := c.process.Memory("VmHWM"); err == nil {
		c.memory = max(c.memory, now)
	}
	open, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.process.PID())) // it may have ended
	return c.memory, len(open)
}

// scrape reads the metrics.
func (c *connector) scrape(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Metrics+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := fresh.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(resp.Body)
}

// fresh makes each call on a connection of its own, as kubelet does its probes.
var fresh = http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// value sums up a metric over its series.
func (c *connector) value(ctx context.Context, name string) (sum float64, err error) {
	families, err := c.scrape(ctx)
	if err != nil {
		return 0, err
	}
	family, ok := families["xbot_connector_"+name]
	if !ok {
		return 0, fmt.Errorf("no metric %s", name)
	}
	for _, m := range family.GetMetric() {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return sum, nil
}

// becomes waits until a metric is what it should be.
func (c *connector) becomes(ctx context.Context, name string, right func(float64) bool, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last string
	err := c.process.Wait(ctx, name, func(ctx context.Context) bool {
		await(ctx, time.After(20*time.Millisecond))
		value, err := c.value(ctx, name)
		switch {
		case err == nil:
			last = fmt.Sprint(value)
		case ctx.Err() == nil:
			last = err.Error()
		}
		return err == nil && right(value)
	})
	if err != nil {
		return fmt.Errorf("%w; at last it was %s\n%s\n%s", err, last, c.status(), c.log.end())
	}
	return nil
}

// status is what the connector says of itself.
func (c *connector) status() string {
	cmd := exec.Command(c.binary, "status", "--admin", c.Admin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func is(want float64) func(float64) bool { return func(v float64) bool { return v == want } }

func above(bound float64) func(float64) bool { return func(v float64) bool { return v > bound } }

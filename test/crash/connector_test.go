// Package crash ends the real connector in the worst moments and on the worst
// disks, and checks that it keeps its promises.
package crash

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"text/template"
	"time"

	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/admin"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/test/kit/cgroup"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

const (
	appID   = "2553928453557884079"
	secret  = "the-oa-secret-key"
	apiKey  = "the-api-key-of-the-channel"
	channel = "chat/shop"
	// patience bounds every wait: far beyond what a slow machine takes.
	patience = time.Minute
)

var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "crash-")
	if err == nil {
		binary, err = process.Build(context.Background(), folder, "connector")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(folder) // what is left is in the system's folder for such
		os.Exit(code)
	}))
}

// configTemplate gives an attempt more time than any test holds back answers: a sink
// cannot tell whether the connector still waits for the answer that it gives.
var configTemplate = template.Must(template.New("").Parse(`apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
server: {address: "{{.Server}}"}
metrics: {address: "{{.Metrics}}"}
admin: {socket: "{{.Admin}}"}
inbox: {embedded: {path: "{{.Inbox}}", maxSize: "{{.MaxSize}}"}}
stop: {drainDelay: 0s, gracePeriod: 30s}
channels:
- name: {{.Channel}}
  type: ZaloOA
  zaloOA: {appID: "{{.AppID}}", signature: {secretKeys: [{value: "{{.Secret}}"}]}}
  webhook: {apiKeys: [{name: a, value: "{{.APIKey}}"}]}
  sink: {http: {url: "{{.Sink}}", timeout: 5m, headers: [{name: {{.LifeHeader}}, value: "{{.Life}}"}]}}
  delivery: {retry: {initialBackoff: 10ms, maxBackoff: 100ms}}
`))

// connector is the real binary on an inbox that outlives it.
type connector struct {
	t                      *testing.T
	folder                 string
	server, metrics, admin string
	process                *process.Process
	// group is the cgroup that it runs in, nil for the test's own, and environment
	// what it has beside the test's.
	group       *cgroup.Group
	environment []string
	// settings are those of the configuration file.
	settings map[string]string
	// life counts the starts; every event says to the sink in which it was
	// sent.
	life int64
}

// newConnector prepares a connector that delivers to sink and keeps its inbox
// at the path inbox.
func newConnector(t *testing.T, sink, inbox, maxSize string) *connector {
	t.Helper()
	c := &connector{t: t, folder: t.TempDir(), server: reserved.Address(t), metrics: reserved.Address(t)}
	c.admin = filepath.Join(c.folder, "admin.sock")
	c.settings = map[string]string{
		"Server": c.server, "Metrics": c.metrics, "Admin": c.admin, "Inbox": inbox, "MaxSize": maxSize,
		"Channel": channel, "AppID": appID, "Secret": secret, "APIKey": apiKey, "Sink": sink,
		"LifeHeader": lifeHeader,
	}
	t.Cleanup(func() {
		if c.process != nil {
			c.process.Kill()
		}
		if t.Failed() {
			t.Logf("end of the connector's log:\n%s", c.log())
		}
	})
	return c
}

func (c *connector) configPath() string { return filepath.Join(c.folder, "connector.yaml") }

func (c *connector) logPath() string { return filepath.Join(c.folder, "log") }

// log is the end of what the connector has logged, over all its lives.
func (c *connector) log() string {
	text, err := os.ReadFile(c.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8000):])
}

func (c *connector) writeConfig() {
	c.t.Helper()
	c.settings["Life"] = strconv.FormatInt(c.life, 10)
	var text bytes.Buffer
	if err := configTemplate.Execute(&text, c.settings); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(c.configPath(), text.Bytes(), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// start starts the process, which need not be ready yet.
func (c *connector) start() {
	c.t.Helper()
	c.life++
	c.writeConfig()
	log, err := os.OpenFile(c.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the child has a copy
	cmd := exec.Command(binary, "serve", "--config", c.configPath())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), c.environment...)
	if c.group != nil {
		c.group.Enter(cmd)
	}
	if c.process, err = process.Start(cmd); err != nil {
		c.t.Fatal(err)
	}
}

// ready waits until the process serves.
func (c *connector) ready() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.process.Wait(ctx, "readiness", process.Answers("http://"+c.metrics+"/readyz")); err != nil {
		c.t.Fatal(err)
	}
}

// stop ends the process in order.
func (c *connector) stop() {
	c.t.Helper()
	if err := c.process.Stop(patience); err != nil {
		c.t.Error(err)
	}
}

func (c *connector) pushURL() string { return "http://" + c.server + config.DefaultPathZaloOA }

// status is what the admin API says of the one channel.
func (c *connector) status() admin.ChannelStatus {
	c.t.Helper()
	status, err := admin.NewClient(c.admin).Status(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, ch := range status.Channels {
		if ch.Name == channel {
			return ch
		}
	}
	c.t.Fatal("the channel is not in the status")
	return admin.ChannelStatus{}
}

// drained waits until nothing is pending.
func (c *connector) drained() {
	c.t.Helper()
	c.eventually("nothing is pending", func() bool { return c.status().Pending == 0 })
}

func (c *connector) eventually(what string, is func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.process.Wait(ctx, what, func(context.Context) bool { return is() }); err != nil {
		c.t.Fatal(err)
	}
}

// Package crash kills and starves the real connector, and checks that it keeps its promises.
package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"text/template"
	"time"

	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/admin"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/cgroup"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/process"
)

const (
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
		_ = os.RemoveAll(folder) // the rest is in the system's temporary folder
		os.Exit(code)
	}))
}

// configTemplate gives an attempt more time than any test holds back answers: a sink cannot tell whether the connector
// still waits for the answer that it gives.
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
	*process.Connector
	t     *testing.T
	admin string
	// group is its cgroup; nil for the test's own. environment is added to the test's.
	group       *cgroup.Group
	environment []string
	// settings are the values of the configuration file.
	settings map[string]any
	// life counts the starts. Each delivery has it in a header.
	life int64
}

// newConnector prepares a connector that delivers to sink and keeps its inbox at the path inbox.
func newConnector(t *testing.T, sink, inbox, maxSize string) *connector {
	t.Helper()
	program, err := process.NewConnector(binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &connector{Connector: program, t: t, admin: filepath.Join(program.Folder, "admin.sock")}
	c.settings = map[string]any{
		"Server": c.Server, "Metrics": c.Metrics, "Admin": c.admin, "Inbox": inbox, "MaxSize": maxSize,
		"Channel": channel, "AppID": example.AppID, "Secret": secret, "APIKey": apiKey, "Sink": sink,
		"LifeHeader": lifeHeader,
	}
	serve := program.Command
	program.Command = func(ctx context.Context) *exec.Cmd {
		cmd := serve(context.WithoutCancel(ctx)) // the cleanup below ends it
		cmd.Env = append(os.Environ(), c.environment...)
		if c.group != nil {
			c.group.Enter(cmd)
		}
		return cmd
	}
	t.Cleanup(func() {
		c.Kill()
		if t.Failed() {
			t.Logf("end of the connector's log:\n%s", c.LastLog())
		}
	})
	return c
}

// start starts the process and does not wait until it is ready.
func (c *connector) start() {
	c.t.Helper()
	c.life++
	c.settings["Life"] = c.life
	if err := errors.Join(c.Configure(configTemplate, c.settings), c.Launch(c.t.Context())); err != nil {
		c.t.Fatal(err)
	}
}

// ready waits until the process serves.
func (c *connector) ready() {
	c.t.Helper()
	if err := c.AwaitReady(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// stop ends the process in order.
func (c *connector) stop() {
	c.t.Helper()
	if err := c.Stop(patience); err != nil {
		c.t.Error(err)
	}
}

func (c *connector) pushURL() string { return "http://" + c.Server + zalo.DefaultPath }

// status is the admin API's report of the one channel.
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
	if err := c.Wait(ctx, what, func(context.Context) bool { return is() }); err != nil {
		c.t.Fatal(err)
	}
}

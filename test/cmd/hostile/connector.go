package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"text/template"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// gracePeriod is stop.gracePeriod of the configuration.
const gracePeriod = 10 * time.Second

//go:embed connector.yaml.tmpl
var configText string

var configTemplate = template.Must(template.New("connector.yaml").Parse(configText))

// settings are the values of the configuration file.
type settings struct {
	Admin, Inbox, SinkKey string
	// Secure serves the webhook with TLS.
	Secure   bool
	Channels []channelSettings
}

// channelSettings are those of one channel.
type channelSettings struct {
	Name, Sink       string
	APIKeys, Secrets []string
}

// connector is the real process, over many lives.
type connector struct {
	*process.Connector
	settings
	binary      string
	environment []string
	// files limits the open files of a life; 0 for the machine's limit.
	files int
	// enter lets the process run in a group; nil for none.
	enter func(*exec.Cmd)
	// log judges its output; nil for a file.
	log *logJudge
}

func newConnector(binary, folder, inbox string, environment ...string) *connector {
	program, admin := must.Get(process.NewConnector(binary, folder)), must.Get(reserved.Addresses(1))
	c := &connector{Connector: program, settings: settings{Admin: admin[0], Inbox: inbox}, binary: binary, environment: environment}
	serve := program.Command
	program.Command = func(ctx context.Context) *exec.Cmd {
		cmd := serve(context.WithoutCancel(ctx)) // it ends only by Stop or Kill
		cmd.Env = append(os.Environ(), c.environment...)
		if c.files > 0 {
			cmd.Args = slices.Concat([]string{"/bin/sh", "-c", `ulimit -n "$0" && exec "$@"`, strconv.Itoa(c.files), cmd.Path}, cmd.Args[1:])
			cmd.Path = "/bin/sh"
		}
		if c.enter != nil {
			c.enter(cmd)
		}
		return cmd
	}
	return c
}

// writesTo lets a judge read its log.
func (c *connector) writesTo(log *logJudge) { c.log, c.Output = log, log }

func (c *connector) writeConfig() { must.Do(c.Configure(configTemplate, c)) }

func (c *connector) kill() {
	c.Kill()
	c.log.killed()
}

// kubelet is the client of probes: each is made on a connection of its own, and may take a second.
var kubelet = http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// value sums up a metric over its series.
func (c *connector) value(ctx context.Context, name string) (float64, error) {
	return c.Value(ctx, "xbot_connector_"+name)
}

// becomes waits until a metric is right.
func (c *connector) becomes(ctx context.Context, name string, right func(float64) bool, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last string
	err := c.Wait(ctx, name, func(ctx context.Context) bool {
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

// status is the connector's own report, or the reason why there is none.
func (c *connector) status() string {
	out, err := exec.Command(c.binary, "status", "--admin", c.Admin).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func is(want float64) func(float64) bool { return func(v float64) bool { return v == want } }

func above(bound float64) func(float64) bool { return func(v float64) bool { return v > bound } }

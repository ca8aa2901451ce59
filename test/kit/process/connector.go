package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// GOMEMLIMIT is the value that the connector itself sets in a cgroup of 256 MiB, the operator's default limit. It is
// for a connector without such a group.
const GOMEMLIMIT = "GOMEMLIMIT=214748364"

// Connector is the connector's program, with a folder and addresses of its own.
type Connector struct {
	Program
	Folder string
	// Server and Metrics are the addresses for its webhook and its metrics.
	Server, Metrics string
}

// NewConnector makes the folder and chooses the addresses. The connector runs the binary with the configuration in the
// folder.
func NewConnector(binary, folder string) (*Connector, error) {
	addresses, err := reserved.Addresses(2)
	c := &Connector{Folder: folder}
	if err = errors.Join(err, os.MkdirAll(folder, 0o700)); err != nil {
		return nil, err
	}
	c.Server, c.Metrics = addresses[0], addresses[1]
	c.ReadyURL, c.MetricsURL = "http://"+c.Metrics+"/readyz", "http://"+c.Metrics+"/metrics"
	c.Log = filepath.Join(folder, "log")
	c.Command = func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, binary, "serve", "--config", c.ConfigPath())
	}
	return c, nil
}

// ConfigPath is the path of the configuration.
func (c *Connector) ConfigPath() string { return filepath.Join(c.Folder, "connector.yaml") }

// Configure fills in a template of the configuration and puts it in place.
func (c *Connector) Configure(text *template.Template, values any) error {
	var config bytes.Buffer
	if err := text.Execute(&config, values); err != nil {
		return err
	}
	return c.Replace(config.Bytes())
}

// Replace replaces the configuration in one step.
func (c *Connector) Replace(config []byte) error {
	next := c.ConfigPath() + ".next"
	if err := os.WriteFile(next, config, 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.ConfigPath())
}

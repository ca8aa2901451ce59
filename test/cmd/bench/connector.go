package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

//go:embed connector.yaml.tmpl
var configText string

// build is a connector of some commit, with the configuration that it takes.
type build struct {
	name, binary string
	config       *template.Template
}

// ours is the build of this commit.
func (b *bench) ours() build { return b.builds[0] }

// connectorSettings are what differs between the connectors of the figures.
type connectorSettings struct {
	Channels int
	Paused   bool
	Sink     string
}

// connector is the connector under test: the real binary, its configuration
// and its inbox in a folder of its own.
type connector struct {
	build
	settings        connectorSettings
	folder          string
	Server, Metrics string
	process         *process.Process
	// extraKey is a second API key of channel 0.
	extraKey string
}

func (b *bench) newConnector(of build, s connectorSettings) (*connector, error) {
	folder, err := os.MkdirTemp(b.folder, "connector-")
	if err != nil {
		return nil, err
	}
	addresses, err := reserved.Addresses(2)
	if err != nil {
		return nil, err
	}
	return &connector{
		build: of, settings: s, folder: folder,
		Server: addresses[0], Metrics: addresses[1],
	}, nil
}

// startConnector makes a connector and starts it.
func (b *bench) startConnector(ctx context.Context, of build, s connectorSettings) (*connector, error) {
	c, err := b.newConnector(of, s)
	if err != nil {
		return nil, err
	}
	_, err = c.start(ctx)
	return c, err
}

// start starts the process and returns how long it took to be ready.
func (c *connector) start(ctx context.Context) (time.Duration, error) {
	if err := c.writeConfig(); err != nil {
		return 0, err
	}
	log, err := os.OpenFile(filepath.Join(c.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(ctx, c.binary, "serve", "--config", c.configPath())
	cmd.Stdout, cmd.Stderr = log, log
	begin := time.Now()
	if c.process, err = process.Start(cmd); err != nil {
		return 0, err
	}
	ready, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.process.Wait(ready, "readiness", process.Answers("http://"+c.Metrics+"/readyz")); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, c.lastLog())
	}
	return time.Since(begin), nil
}

// stop ends the process and removes its folder.
func (c *connector) stop() error {
	if err := c.process.Stop(time.Minute); err != nil {
		return fmt.Errorf("%w\n%s", err, c.lastLog())
	}
	return os.RemoveAll(c.folder)
}

func (c *connector) configPath() string { return filepath.Join(c.folder, "connector.yaml") }

// writeConfig replaces the configuration in one step.
func (c *connector) writeConfig() error {
	keys := make([][]string, c.settings.Channels)
	for i := range keys {
		keys[i] = []string{digest(apiKey(i))}
	}
	if c.extraKey != "" {
		keys[0] = append(keys[0], digest(c.extraKey))
	}
	var text bytes.Buffer
	err := c.config.Execute(&text, map[string]any{
		"Server": c.Server, "Metrics": c.Metrics, "Admin": "127.0.0.1:0", // that of commits before the socket
		"AppID": appID, "Secret": secret, "Keys": keys,
		"Sink": c.settings.Sink, "Paused": c.settings.Paused,
	})
	if err != nil {
		return err
	}
	next := c.configPath() + ".next"
	if err := os.WriteFile(next, text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.configPath())
}

func digest(key string) string {
	d := sha256.Sum256([]byte(key))
	return hex.EncodeToString(d[:])
}

// lastLog returns the end of the connector's log, for an error message.
func (c *connector) lastLog() string {
	text, err := os.ReadFile(filepath.Join(c.folder, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

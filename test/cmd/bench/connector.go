package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"os"
	"text/template"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/process"
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

// connector is the connector under test.
type connector struct {
	*process.Connector
	build
	settings connectorSettings
	// extraKey is a second API key of channel 0.
	extraKey string
}

func newConnector(folder string, of build, s connectorSettings) (*connector, error) {
	folder, err := os.MkdirTemp(folder, "connector-")
	if err != nil {
		return nil, err
	}
	c := &connector{build: of, settings: s}
	c.Connector, err = process.NewConnector(of.binary, folder)
	return c, err
}

// startConnector makes a connector and starts it.
func (b *bench) startConnector(ctx context.Context, of build, s connectorSettings) (*connector, error) {
	c, err := newConnector(b.Folder, of, s)
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
	return c.Start(ctx)
}

// stop ends the process and removes its folder.
func (c *connector) stop() error {
	if err := c.Stop(time.Minute); err != nil {
		return err
	}
	return os.RemoveAll(c.Folder)
}

func (c *connector) writeConfig() error {
	keys := make([][]string, c.settings.Channels)
	for i := range keys {
		keys[i] = []string{digest(apiKey(i))}
	}
	if c.extraKey != "" {
		keys[0] = append(keys[0], digest(c.extraKey))
	}
	return c.Configure(c.config, map[string]any{
		"Server": c.Server, "Metrics": c.Metrics, "AppID": example.AppID, "Secret": secret, "Keys": keys,
		"Sink": c.settings.Sink, "Paused": c.settings.Paused,
	})
}

func digest(key string) string {
	d := sha256.Sum256([]byte(key))
	return hex.EncodeToString(d[:])
}

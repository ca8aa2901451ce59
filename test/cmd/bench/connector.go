package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"os"
	"text/template"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

//go:embed connector.yaml.tmpl
var configText string

// build is the connector of a commit, with the configuration that it takes.
type build struct {
	name, binary string
	config       *template.Template
}

// connectorSettings are the differences between the connectors of the figures.
type connectorSettings struct {
	Channels int
	Paused   bool
	Sink     string
	// Type is the type of the channels, and Section its section. Empty: ZaloOA.
	Type, Section string
}

// connector is the connector under test.
type connector struct {
	*process.Connector
	build
	settings connectorSettings
	// extraKey is a second API key of channel 0.
	extraKey string
}

func newConnector(folder string, of build, s connectorSettings) *connector {
	folder = must.Get(os.MkdirTemp(folder, "connector-"))
	return &connector{Connector: must.Get(process.NewConnector(of.binary, folder)), build: of, settings: s}
}

// startConnector starts a connector of its own, until the measurement ends.
func (b *bench) startConnector(ctx context.Context, of build, s connectorSettings) *connector {
	c := newConnector(b.Folder, of, s)
	c.start(ctx)
	b.Cleanup(func() {
		must.Do(c.Stop(time.Minute))
		must.Do(os.RemoveAll(c.Folder))
	})
	return c
}

// start starts the process and returns the time until it is ready.
func (c *connector) start(ctx context.Context) time.Duration {
	c.writeConfig()
	return must.Get(c.Start(ctx))
}

func (c *connector) writeConfig() {
	keys := make([][]string, c.settings.Channels)
	for i := range keys {
		keys[i] = []string{digest(apiKey(i))}
	}
	if c.extraKey != "" {
		keys[0] = append(keys[0], digest(c.extraKey))
	}
	if c.settings.Type == "" {
		c.settings.Type, c.settings.Section = traffic.ZaloOA.Type, traffic.ZaloOA.Section(secret)
	}
	must.Do(c.Configure(c.config, map[string]any{
		"Type": c.settings.Type, "Member": config.Type{Name: c.settings.Type}.Member(), "Section": c.settings.Section,
		"Server": c.Server, "Metrics": c.Metrics, "Keys": keys,
		"Sink": c.settings.Sink, "Paused": c.settings.Paused,
	}))
}

func digest(key string) string {
	d := sha256.Sum256([]byte(key))
	return hex.EncodeToString(d[:])
}

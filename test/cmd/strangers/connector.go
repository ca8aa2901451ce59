package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/test/kit/cgroup"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

const (
	// memoryBound is the operator's default limit, and goMemoryLimit what the
	// connector makes of it for Go's runtime.
	memoryBound   = 256 << 20
	goMemoryLimit = "214748364"
	// patience is far beyond what a start takes.
	patience = time.Minute
)

var configTemplate = template.Must(template.New("").Parse(`apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
server:
  address: "{{.Server}}"
{{- if .Secure}}
  tls: {certFile: tls.crt, keyFile: tls.key}
{{- end}}
metrics: {address: "{{.Metrics}}"}
inbox: {embedded: {path: inbox}}
channels:
{{- range .Channels}}
- name: {{.Name}}
  type: ZaloOA
  zaloOA: {appID: "{{$.AppID}}", signature: {secretKeys: [{value: {{$.Secret}}}]}}
  webhook: {apiKeys: [{name: a, value: {{.Key}}}]}
  sink: {http: {url: "{{$.Sink}}"}}
{{- end}}
`))

// channel is one of two: its platform keeps its connections, or makes new ones.
type channel struct{ Name, Key string }

// connector is the real process.
type connector struct {
	Server, Metrics, Sink string
	Secure                bool
	AppID, Secret         string
	Channels              []channel

	folder  string
	group   *cgroup.Group // nil where none can be made: then the peak alone tells
	bot     *traffic.Bot
	process *process.Process
	peak    float64
	died    bool
}

// start starts a connector with an inbox of its own, and waits until it is ready.
func (s stage) start(ctx context.Context, secure bool) (_ *connector, err error) {
	c := &connector{
		Secure: secure, AppID: example.AppID, Secret: example.Key(16),
		Channels: []channel{{"kept", example.Key(32)}, {"fresh", example.Key(32)}},
	}
	if c.folder, err = os.MkdirTemp(s.folder, "connector-"); err != nil {
		return nil, err
	}
	addresses, err := reserved.Addresses(2)
	if err != nil {
		return nil, err
	}
	c.Server, c.Metrics = addresses[0], addresses[1]
	if c.bot, err = traffic.NewBot(ctx, "127.0.0.1"); err != nil {
		return nil, err
	}
	c.Sink = c.bot.URL()
	if err := c.write(); err != nil {
		return nil, err
	}
	if c.group, err = cgroup.New(filepath.Base(c.folder), memoryBound); err != nil && !errors.Is(err, cgroup.ErrUnavailable) {
		return nil, err
	}
	if err := c.launch(ctx, s.binary); err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c, c.process.Wait(ready, "readiness", process.Answers("http://"+c.Metrics+"/readyz"))
}

func (c *connector) write() error {
	var text bytes.Buffer
	if err := configTemplate.Execute(&text, c); err != nil {
		return err
	}
	files := map[string][]byte{"connector.yaml": text.Bytes()}
	if c.Secure {
		if err := addCertificate(files); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(c.folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// launch starts the process inside its cgroup.
func (c *connector) launch(ctx context.Context, binary string) error {
	log, err := os.Create(filepath.Join(c.folder, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(ctx, binary, "serve", "--config", filepath.Join(c.folder, "connector.yaml"))
	if c.group != nil {
		c.group.Enter(cmd)
	} else {
		cmd.Env = append(os.Environ(), "GOMEMLIMIT="+goMemoryLimit)
	}
	cmd.Stdout, cmd.Stderr = log, log
	c.process, err = process.Start(cmd)
	return err
}

// survive watches the process for some time; it may die.
func (c *connector) survive(ctx context.Context, lasts time.Duration) error {
	select {
	case <-time.After(lasts):
		peak, err := c.process.Memory("VmHWM")
		c.peak = peak
		return err
	case <-c.process.Done():
		c.died = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *connector) close() error {
	c.process.Kill()
	err := c.bot.Close()
	if c.group != nil {
		err = errors.Join(err, c.group.Remove())
	}
	return err
}

// caller is a platform, and what became of its calls.
type caller struct{ *traffic.Platform }

type callers struct{ kept, fresh caller }

// callers start to call: 100 signed calls a second on kept connections, as many
// on new ones.
func (c *connector) callers(ctx context.Context) callers {
	start := func(ch channel, fresh int) caller {
		scheme := "http://"
		if c.Secure {
			scheme = "https://"
		}
		p := &traffic.Platform{
			URL: scheme + c.Server + config.DefaultPathZaloOA, Conversations: 20, Pause: 200 * time.Millisecond, Fresh: fresh,
			TLS: &tls.Config{InsecureSkipVerify: true},
		}
		p.Start(ctx, traffic.Keys{APIKey: ch.Key, OASecretKey: c.Secret})
		return caller{p}
	}
	return callers{kept: start(c.Channels[0], 0), fresh: start(c.Channels[1], 1)}
}

// stop ends the calls and counts them.
func (c caller) stop() (n counted) {
	c.Stop()
	for _, call := range c.Calls() {
		n.calls++
		if call.Status == http.StatusOK && call.Until.Sub(call.At) <= answerWithin {
			n.inTime++
		}
		n.worst = max(n.worst, call.Until.Sub(call.At))
	}
	return n
}

// addCertificate makes a self-signed certificate for loopback.
func addCertificate(files map[string][]byte) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("the certificate's key: %w", err)
	}
	files["tls.crt"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	files["tls.key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return nil
}

package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
	"xbot.a4b.vn/channel-connector/test/kit/transcript"
)

// grace is longer than the connector's own grace period.
const grace = 15 * time.Second

//go:embed connector.yaml.tmpl
var configText string

var configTemplate = template.Must(template.New("connector.yaml").Parse(configText))

// stage is what the demo plays on.
type stage struct {
	folder, binary  string
	addresses       addresses
	apiKey, secret  string
	shown           transcript.Transcript
	sink, connector *process.Process
}

// addresses are where everything listens, on loopback only.
type addresses struct{ Server, Sink, Metrics string }

// chooseAddresses takes the connector's usual ports, and others for those that
// something else uses.
func chooseAddresses() (addresses, error) {
	usual := []string{"127.0.0.1:8080", "127.0.0.1:8090", "127.0.0.1:9090"}
	chosen, err := reserved.Addresses(len(usual), usual...)
	if err != nil {
		return addresses{}, err
	}
	for i, address := range chosen {
		if address != usual[i] {
			fmt.Printf("%s is in use; taking %s instead.\n", usual[i], address)
		}
	}
	return addresses{Server: chosen[0], Sink: chosen[1], Metrics: chosen[2]}, nil
}

// prepare chooses where everything listens and writes the configuration.
func prepare(binary string) (_ *stage, err error) {
	s := &stage{binary: binary, apiKey: example.Key(32), secret: example.Key(16)}
	if s.addresses, err = chooseAddresses(); err != nil {
		return nil, err
	}
	if s.folder, err = os.MkdirTemp("", "connector-demo-"); err != nil {
		return nil, err
	}
	if err := s.writeConfig(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	return s, nil
}

func (s *stage) writeConfig() error {
	var text bytes.Buffer
	err := configTemplate.Execute(&text, map[string]any{
		"Listen": s.addresses, "AppID": example.AppID, "Secret": s.secret, "APIKey": s.apiKey,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(s.configPath(), text.Bytes(), 0o600)
}

func (s *stage) configPath() string { return filepath.Join(s.folder, "connector.yaml") }

func (s *stage) logPath() string { return filepath.Join(s.folder, "connector.log") }

func (s *stage) log() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// pushURL is xBot's public endpoint.
func (s *stage) pushURL() string { return "http://" + s.addresses.Server + config.DefaultPathZaloOA }

// consoleURL is the URL as it is pasted into Zalo's console.
func (s *stage) consoleURL() string {
	return s.pushURL() + "?param.header.xp-api-key=" + url.QueryEscape(s.apiKey)
}

// start starts the sink and the connector and waits until both serve.
func (s *stage) start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	sink := exec.Command(s.binary, "display", "--address", s.addresses.Sink, "--format", "text")
	sink.Stdout, sink.Stderr = io.MultiWriter(os.Stdout, &s.shown), os.Stderr
	if s.sink, err = process.Start(sink); err != nil {
		return err
	}
	if err := s.sink.Wait(ctx, "its listener", process.Listens(s.addresses.Sink)); err != nil {
		return err
	}

	log, err := os.Create(s.logPath())
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	connector := exec.Command(s.binary, "serve", "--config", s.configPath())
	connector.Stdout, connector.Stderr = log, log
	if s.connector, err = process.Start(connector); err != nil {
		return err
	}
	if err := s.connector.Wait(ctx, "readiness", process.Answers("http://"+s.addresses.Metrics+"/readyz")); err != nil {
		return fmt.Errorf("%w; its log:\n%s", err, s.log())
	}
	fmt.Printf("Serving %s, delivering to http://%s/events\n", s.pushURL(), s.addresses.Sink)
	return nil
}

// stop ends the connector, then the sink, and removes the folder.
func (s *stage) stop() error {
	var errs []error
	for _, p := range []*process.Process{s.connector, s.sink} {
		if p != nil {
			errs = append(errs, p.Stop(grace))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(s.folder))...)
}

// postExample does what curl would.
func (s *stage) postExample(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.consoleURL(), bytes.NewReader(example.Event))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	fmt.Printf("%s %s\n\n", resp.Status, bytes.TrimSpace(body))
	if resp.StatusCode != http.StatusOK {
		return errors.New("the connector did not accept the example")
	}
	return nil
}

func (s *stage) sendSigned(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	send := exec.CommandContext(ctx, s.binary, "send", "--url", s.pushURL(),
		"--api-key", s.apiKey, "--secret", s.secret, "--app-id", example.AppID, "--text", signedText)
	send.Stdout, send.Stderr = os.Stdout, os.Stderr
	if err := send.Run(); err != nil {
		return fmt.Errorf("connector send: %w", err)
	}
	return nil
}

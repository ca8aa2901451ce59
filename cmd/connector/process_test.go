package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/poll"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// runAsConnector in the environment makes the test binary the connector.
const runAsConnector = "TEST_RUN_AS_CONNECTOR"

const patience = time.Minute

// processConfig is a configuration whose probes are found on a known address.
func processConfig(metrics, stop string) string {
	text := strings.Replace(servedConfig, `metrics: {address: "127.0.0.1:0"}`, fmt.Sprintf("metrics: {address: %q}", metrics), 1)
	return strings.Replace(text, "drainDelay: 1ms", stop, 1)
}

// spawn starts "connector serve" as a process. Its output may be read after it has ended.
func spawn(t *testing.T, config string) (*process.Process, *bytes.Buffer) {
	t.Helper()
	return launch(t, exec.Command(os.Args[0], "serve", "--config", config))
}

// launch starts a command line of the connector, and kills it when the test ends.
func launch(t *testing.T, cmd *exec.Cmd) (*process.Process, *bytes.Buffer) {
	t.Helper()
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), runAsConnector+"=yes")
	}
	said := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	p, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, said
}

// spawnReady is spawn, and waits until the process is ready.
func spawnReady(t *testing.T, stop string) (p *process.Process, said *bytes.Buffer, config, readyz string) {
	t.Helper()
	address := reserved.Address(t)
	config = writeFile(t, processConfig(address, stop))
	readyz = "http://" + address + "/readyz"
	p, said = spawn(t, config)
	if err := p.Wait(t.Context(), "readiness", process.Answers(readyz)); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return p, said, config, readyz
}

func TestSIGTERMEndsTheProcessWithExitCode0(t *testing.T) {
	p, said, _, _ := spawnReady(t, "drainDelay: 1ms")
	if err := p.Stop(patience); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	p, said, _, readyz := spawnReady(t, "drainDelay: 10h, gracePeriod: 20h")
	if err := syscall.Kill(p.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ready := process.Answers(readyz)
	err := p.Wait(t.Context(), "the drain", func(ctx context.Context) bool { return !ready(ctx) })
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	// The process hears the first signal a moment before it leaves the next one to the system, so this one is repeated,
	// as an impatient person would.
	poll.Until(t, "the process ends", func() bool {
		_ = syscall.Kill(p.PID(), syscall.SIGINT) // it fails once the process has ended
		select {
		case <-p.Done():
			return true
		default:
			return false
		}
	})
	if err := p.Stop(patience); err == nil || !strings.Contains(err.Error(), "signal: interrupt") {
		t.Errorf("ended with %v, want the signal", err)
	}
}

// TestAStartWaitsForTheInbox: another process, such as the previous pod, still holds it and is about to end.
func TestAStartWaitsForTheInbox(t *testing.T) {
	before, _, config, _ := spawnReady(t, "drainDelay: 1ms")
	address := reserved.Address(t)
	inbox := filepath.Join(filepath.Dir(config), "inbox")
	next, said := spawn(t, writeFile(t, strings.Replace(processConfig(address, "drainDelay: 1ms"), "path: inbox", "path: "+inbox, 1)))
	if err := before.Stop(patience); err != nil {
		t.Fatal(err)
	}
	if err := next.Wait(t.Context(), "readiness", process.Answers("http://"+address+"/readyz")); err != nil {
		t.Fatal(err)
	}
	if err := next.Stop(patience); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestAStartThatCannotWorkExits1AndSaysWhy(t *testing.T) {
	_, _, inUse, readyz := spawnReady(t, "drainDelay: 1ms")
	inbox := filepath.Join(filepath.Dir(inUse), "inbox")
	busy := strings.TrimSuffix(strings.TrimPrefix(readyz, "http://"), "/readyz")

	shared := writeFile(t,
		strings.NewReplacer("path: inbox", "path: "+inbox, "drainDelay: 1ms", "drainDelay: 1ms, gracePeriod: 100ms").Replace(servedConfig))
	port := writeFile(t, processConfig(busy, "drainDelay: 1ms"))
	unknown := writeFile(t, servedConfig+"chanels: []\n")
	for config, wants := range map[string][]string{
		shared:  {"open inbox " + inbox, "another process uses it"},
		port:    {"metrics.address", busy, "address already in use"},
		unknown: {unknown + ":", "chanels"},
	} {
		p, said := spawn(t, config)
		select {
		case <-p.Done():
		case <-time.After(patience):
			t.Fatal("the process runs")
		}
		err := p.Stop(patience)
		if err == nil || !strings.HasSuffix(err.Error(), "exit status 1") {
			t.Errorf("ended with %v, want exit code 1", err)
		}
		for _, want := range wants {
			if !strings.Contains(said.String(), want) {
				t.Errorf("the message lacks %q:\n%s", want, said)
			}
		}
		if n := strings.Count(said.String(), "Error: "); n != 1 {
			t.Errorf("%d errors are printed:\n%s", n, said)
		}
	}
}

// TestSIGTERMEndsAStartThatHangs: a read of the inbox never returns, as on a disk that does not answer.
func TestSIGTERMEndsAStartThatHangs(t *testing.T) {
	config := writeFile(t, strings.Replace(servedConfig, "drainDelay: 1ms", "drainDelay: 1ms, gracePeriod: 2s", 1))
	inbox := filepath.Join(filepath.Dir(config), "inbox")
	if err := os.Mkdir(inbox, 0o700); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(inbox, "LEDGER")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"MANIFEST-000001", "marker.manifest.000001.MANIFEST-000001"} {
		if err := os.WriteFile(filepath.Join(inbox, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, said := spawn(t, config)
	var writer *os.File
	poll.Until(t, "the start reads", func() (reads bool) {
		var err error
		writer, err = os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0) // it fails as long as nobody reads
		return err == nil
	})
	defer func() { _ = writer.Close() }()
	if err := p.Stop(patience); err == nil || !strings.HasSuffix(err.Error(), "exit status 1") {
		t.Errorf("ended with %v, want exit code 1", err)
	}
	if !strings.Contains(said.String(), "waited for the start") {
		t.Errorf("the message does not name what hangs:\n%s", said)
	}
}

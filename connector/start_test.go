package connector_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// refusesToStart checks the error of a start that cannot work, and that nothing of it is left.
func refusesToStart(t *testing.T, path string, wants ...string) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	saysWhyNot(t, path, wants...)
	goleak.VerifyNone(t, before)
}

// saysWhyNot checks the error of a start that cannot work.
func saysWhyNot(t *testing.T, path string, wants ...string) {
	t.Helper()
	err := connector.Run(context.Background(), newLogger(io.Discard), &slog.LevelVar{}, path)
	if err == nil {
		t.Fatal("the connector ran")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	for _, hidden := range hidden {
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
	if strings.Count(err.Error(), "\n") > 2 {
		t.Errorf("the error is long: %v", err)
	}
}

func TestStartRefusesAWrongConfiguration(t *testing.T) {
	s := newSettings(t, channelSettings{name: shopA, sink: "http://127.0.0.1:1"})
	refusesToStart(t, s.path(), s.path(), "no such file")
	put(t, s.path(), s.yaml()+"chanels: []\n")
	refusesToStart(t, s.path(), s.path()+":17", "chanels")
	s.server = "tls: {certFile: absent/tls.crt, keyFile: absent/tls.key}"
	refusesToStart(t, s.write(t), s.path()+":3", "server.tls.certFile", "no such file")
	if _, err := os.Stat(filepath.Join(s.folder, "inbox")); err == nil {
		t.Error("a wrong configuration touched the inbox")
	}
}

func TestStartNamesTheAddressInUse(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	address := reserved.Address(t)
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	s.address = address
	for section, setting := range map[string]string{"metrics": `address: "127.0.0.1:0"`, "admin": "socket: admin.sock"} {
		put(t, s.path(), strings.Replace(s.yaml(), section+": {"+setting+"}", section+`: {address: "`+used.Addr().String()+`"}`, 1))
		refusesToStart(t, s.path(), section+".address", used.Addr().String(), "address already in use")
	}
	s.address = used.Addr().String()
	refusesToStart(t, s.write(t), "server.address", used.Addr().String(), "address already in use")
	// Neither the listeners that were bound before nor the inbox are held.
	s.address = address
	if err := start(t, s.write(t)).stop(); err != nil {
		t.Error(err)
	}
}

// A start that fails for its addresses delivers nothing, and so waits for no sink.
func TestAFailedStartWaitsForNoSink(t *testing.T) {
	sink := newReceiver(t)
	sink.answers(func(w http.ResponseWriter, _ attempt) { w.WriteHeader(http.StatusServiceUnavailable) })
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	r := start(t, s.write(t))
	r.call(message{shopA, "1", "m-1"})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	s.address = used.Addr().String()
	release := make(chan struct{})
	defer close(release)
	sink.answers(func(http.ResponseWriter, attempt) { <-release })
	refusesToStart(t, s.write(t), "server.address", "address already in use")
}

func TestStartNamesAnInboxThatCannotBeUsed(t *testing.T) {
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	inbox := filepath.Join(s.folder, "inbox")
	r := start(t, s.write(t))
	saysWhyNot(t, s.path(), inbox, "lock") // of another process: see cmd/connector
	r.call(message{shopA, "1", "m-1"})     // the one that uses it goes on
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	if err := os.RemoveAll(inbox); err != nil {
		t.Fatal(err)
	}
	put(t, inbox, "no folder")
	refusesToStart(t, s.path(), inbox)
}

func TestStartNamesAnInboxThatIsNotWritable(t *testing.T) {
	if os.Geteuid() == 0 { // who may write to every folder
		runAsNobody(t)
		return
	}
	s := newSettings(t, channelSettings{name: shopA, sink: "http://127.0.0.1:1"})
	inbox := filepath.Join(s.folder, "inbox")
	if err := os.Mkdir(inbox, 0o500); err != nil {
		t.Fatal(err)
	}
	refusesToStart(t, s.write(t), inbox, "writable")
}

// runAsNobody runs the test once more, in a process of a user without rights.
func runAsNobody(t *testing.T) {
	t.Helper()
	// The link leads to this program, which lies in a folder that nobody else enters.
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.SysProcAttr = os.TempDir(), &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
}

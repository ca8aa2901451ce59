package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// nobody is a user who is not the tests'.
const nobody = 65534

// spawnWithDefaults starts a connector whose file says nothing of the admin API.
func spawnWithDefaults(t *testing.T) (p *process.Process, config string) {
	t.Helper()
	address := reserved.Address(t)
	config = writeFile(t, strings.Replace(processConfig(address, "drainDelay: 1ms"), "admin: {socket: admin.sock}\n", "", 1))
	p, said := spawn(t, config)
	if err := p.Wait(t.Context(), "readiness", process.Answers("http://"+address+"/readyz")); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return p, config
}

// shows checks that "connector status" finds the connector.
func shows(t *testing.T, args ...string) {
	t.Helper()
	if code, stdout, stderr := run(t, append([]string{"status"}, args...)...); code != exitOK || !strings.Contains(stdout, "chat/shop") {
		t.Errorf("%q: exit %d: %s%s", args, code, stdout, stderr)
	}
}

// TestStatusNeedsNoFlag: the connector and its command line agree on the place.
func TestStatusNeedsNoFlag(t *testing.T) {
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	p, config := spawnWithDefaults(t)
	socket := filepath.Join(runtime, "connector", "admin.sock")
	shows(t)
	shows(t, "--config", config)
	shows(t, "--admin", socket)
	t.Chdir(runtime)
	shows(t, "--admin", "connector/admin.sock")
	if code, stdout, stderr := run(t, "deadletters", "list"); code != exitOK || !strings.HasPrefix(stdout, "ID ") {
		t.Errorf("without a channel, of one: exit %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr := run(t, "deadletters", "list", "--channel=shop"); code != exitFailure ||
		!strings.Contains(stderr, `there is only "chat/shop"`) {
		t.Errorf("a wrong channel: exit %d: %s", code, stderr)
	}
	if err := p.Stop(patience); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestStatusOutsideOfASession: without a folder for the user the socket is beside the inbox.
func TestStatusOutsideOfASession(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	p, config := spawnWithDefaults(t)
	shows(t, "--config", config)
	if _, err := os.Stat(filepath.Join(filepath.Dir(config), "inbox.admin.sock")); err != nil {
		t.Error(err)
	}
	// What SIGKILL leaves stands in nobody's way.
	p.Kill()
	if code, _, stderr := run(t, "status", "--config", config); code != exitFailure ||
		!strings.Contains(stderr, "was killed; start it again") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestNoSocketAtTheUsualPlaces says what to do.
func TestNoSocketAtTheUsualPlaces(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	if _, err := usualSocket(absent, "", absent+"2"); err == nil ||
		!strings.Contains(err.Error(), absent+" or "+absent+"2: name its configuration with --config FILE") {
		t.Errorf("got %v", err)
	}
	there := writeFile(t, "")
	if got, err := usualSocket("", absent, there); got != there || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestAnotherUserReachesNoAdminAPI neither to read nor to delete, and is told whom to ask.
func TestAnotherUserReachesNoAdminAPI(t *testing.T) {
	folder := everybodys(t)
	socket := filepath.Join(folder, "admin.sock")
	config := writeFile(t, strings.Replace(servedConfig, "socket: admin.sock", "socket: "+socket, 1))
	p, said := spawn(t, config)
	listening := func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	if err := p.Wait(t.Context(), "its socket", func(context.Context) bool { return listening() }); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	shows(t, "--admin", socket)
	for _, args := range [][]string{{"status"}, {"deadletters", "list"}, {"deadletters", "drop", "--all"}} {
		output, err := commandAs(t, nobody, nobody, append(args, "--admin", socket)...).CombinedOutput()
		if err == nil || !strings.Contains(string(output), "belongs to user root (uid 0): run the command as that user") {
			t.Errorf("%q: %v: %s", args, err, output)
		}
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	output, err := commandAs(t, nobody, nobody, "status", "--admin", socket).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "is in a folder of user root (uid 0): run the command as that user") {
		t.Errorf("in a private folder: %v: %s", err, output)
	}
}

package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// The users of a volume, whose group is that of both.
const (
	firstUser, secondUser = 64001, 64002
	volumesGroup          = 64100
)

// everybodys is a folder that every user can use, unlike those of testing.
func everybodys(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "everybodys-") //nolint:usetesting // that of the test is private
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// commandAs returns a command of this program as a user with a second group, as Kubernetes adds a pod's fsGroup.
func commandAs(t *testing.T, user, group uint32, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	cmd := exec.Command("/proc/self/exe", args...) // its path may be in a private folder
	cmd.Env = append(os.Environ(), runAsConnector+"=yes", "XDG_RUNTIME_DIR=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user, Groups: []uint32{group}}}
	return cmd
}

// TestAVolumeOpensUnderAnotherUserOfItsGroup: a later pod may get another user, and kubelet changes the owners of a
// volume only if its root has another group.
func TestAVolumeOpensUnderAnotherUserOfItsGroup(t *testing.T) {
	folder := everybodys(t)
	volume := filepath.Join(folder, "volume")
	if err := os.Mkdir(volume, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // as kubelet leaves a volume
		if err := os.Chown(volume, 0, volumesGroup); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(volume, 0o775|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	metrics, server := reserved.Address(t), reserved.Address(t)
	config := filepath.Join(folder, "connector.yaml")
	text := strings.NewReplacer("path: inbox", "path: "+filepath.Join(volume, "inbox"),
		`server: {address: "127.0.0.1:0"}`, fmt.Sprintf("server: {address: %q}", server),
		"sink: {", "delivery: {paused: true}\n  sink: {", "admin: {socket: admin.sock}\n", "").Replace(processConfig(metrics, "drainDelay: 1ms"))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}

	for i, user := range []uint32{firstUser, secondUser, firstUser} {
		p, said := launch(t, commandAs(t, user, volumesGroup, "serve", "--config", config))
		if err := p.Wait(t.Context(), "readiness", process.Answers("http://"+metrics+"/readyz")); err != nil {
			t.Fatalf("user %d: %v\n%s", user, err, said)
		}
		code, _, stderr := run(t, "send", "--url", "http://"+server+"/webhook/xpbot/api/zalo/push",
			"--api-key="+servedKey, "--app-id=1", "--count=3")
		if code != exitOK {
			t.Errorf("exit %d: %s", code, stderr)
		}
		if code, stdout, stderr := run(t, "status", "--config", config); !strings.Contains(stdout, fmt.Sprintf("paused  %d ", 3*(i+1))) {
			t.Errorf("user %d does not have the events of the lives before: exit %d: %s%s", user, code, stdout, stderr)
		}
		p.Kill() // what a killed process leaves is recovered by the next user as well
	}

	inbox := filepath.Join(volume, "inbox")
	if output, err := commandAs(t, secondUser, volumesGroup, "inbox", "export", "--path", inbox).CombinedOutput(); err != nil {
		t.Errorf("the group cannot export: %v: %s", err, output)
	}
	output, err := commandAs(t, nobody, nobody, "inbox", "export", "--path", inbox).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "belongs to another user: run the command as the connector's") {
		t.Errorf("a user who is not of the group: %v: %s", err, output)
	}
}

// TestAnotherUserReadsNoMessages where the inbox is on no group's volume.
func TestAnotherUserReadsNoMessages(t *testing.T) {
	path, _ := stoppedInbox(t)
	folder := everybodys(t)
	inbox := filepath.Join(folder, "inbox")
	if err := os.Rename(path, inbox); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"check", "export"} {
		output, err := commandAs(t, nobody, nobody, "inbox", verb, "--path", inbox).CombinedOutput()
		if err == nil || !strings.Contains(string(output), "belongs to another user: run the command as the connector's") {
			t.Errorf("%s: %v: %s", verb, err, output)
		}
	}
}

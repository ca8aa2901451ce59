package local

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// newMachine is a machine that is off, of a cluster that has a daemon "sleeper".
func newMachine(t *testing.T) (*Cluster, machine) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux, as the cluster does")
	}
	c := &Cluster{Dir: filepath.Join(t.TempDir(), "cluster")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", c.bin("pause"), "../cmd/pause")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(shell, c.bin("sleeper")); err != nil {
		t.Fatal(err)
	}
	m := c.machine("node9")
	t.Cleanup(func() {
		if err := m.halt(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return c, m
}

// boot starts the machine with its daemon, which says "up" and then sleeps.
func boot(t *testing.T, c *Cluster, m machine) {
	t.Helper()
	if err := m.boot(t.Context(), c.log(m.name, "init")); err != nil {
		t.Fatal(err)
	}
	startSleeper(t, c, m)
}

func startSleeper(t *testing.T, c *Cluster, m machine) {
	t.Helper()
	log := c.log(m.name, "sleeper")
	if err := m.start(daemon{"sleeper", []string{"-c", "echo up; sleep 3600; true"}}, log); err != nil {
		t.Fatal(err)
	}
	err := command.Await(t.Context(), "the daemon", func() (bool, error) { return strings.HasSuffix(readFile(t, log), "up\n"), nil })
	if err != nil {
		t.Fatal(err)
	}
}

func sleeper(t *testing.T, m machine) int {
	t.Helper()
	pid, err := m.daemonPID("sleeper")
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// Whatever runs and is mounted in a machine goes with its first process.
func TestHaltEndsEverything(t *testing.T) {
	c, m := newMachine(t)
	boot(t, c, m)
	daemon := sleeper(t, m)
	if err := m.halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(daemon))); err == nil {
		t.Error("the daemon outlives its machine")
	}
	if left := c.ownLeftovers(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := m.halt(t.Context()); err != nil {
		t.Errorf("halting again: %v", err)
	}
}

// A machine has its own network and its own folders, and the host sees none of its mounts.
func TestMachineIsApart(t *testing.T) {
	c, m := newMachine(t)
	boot(t, c, m)
	pid, err := m.pid()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("/proc", strconv.Itoa(pid), "root")
	write := filepath.Join(root, "var/lib/test")
	if err := os.WriteFile(write, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, filepath.Join(m.dir, "var/lib/test")); got != "kept" {
		t.Errorf("the machine's disk has %q", got)
	}
	if got := strings.TrimSpace(readFile(t, filepath.Join(root, "proc/sys/kernel/panic"))); got != "10" {
		t.Errorf("kernel.panic is %s in the machine, want 10 as the kubelet does", got)
	}
	for _, namespace := range []string{"net", "mnt", "pid"} {
		own, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(sleeper(t, m)), "ns", namespace))
		if err != nil {
			t.Fatal(err)
		}
		hosts, err := os.Readlink(filepath.Join("/proc/self/ns", namespace))
		if err != nil {
			t.Fatal(err)
		}
		if own == hosts {
			t.Errorf("the daemon is in the host's %s", namespace)
		}
	}
	if left := c.ownLeftovers(); slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(s, "mount ") }) {
		t.Errorf("the host sees the mounts: %v", left)
	}
}

// The disk outlives a halt, and the first process outlives the program that started it.
func TestBootAgain(t *testing.T) {
	c, m := newMachine(t)
	boot(t, c, m)
	disk := filepath.Join(m.dir, "var/lib/test")
	if err := os.WriteFile(disk, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.boot(t.Context(), c.log(m.name, "init")); err == nil {
		t.Error("started twice")
	}
	if err := m.halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	boot(t, c, m)
	if got := readFile(t, disk); got != "kept" {
		t.Errorf("the disk has %q", got)
	}
}

func TestStopAndStartOfADaemon(t *testing.T) {
	c, m := newMachine(t)
	boot(t, c, m)
	first := sleeper(t, m)
	if err := m.start(daemon{name: "sleeper"}, c.log(m.name, "sleeper")); err == nil {
		t.Error("started twice")
	}
	for range 2 { // stopping a daemon that is off is no error
		if err := m.stop(t.Context(), "sleeper"); err != nil {
			t.Fatal(err)
		}
	}
	// Its parent may not have asked for its end yet, so /proc may still name it.
	if _, err := beginning(first); err == nil {
		t.Error("still there after it was stopped")
	}
	startSleeper(t, c, m)
	if second := sleeper(t, m); second == first {
		t.Errorf("still process %d", first)
	}
}

// A daemon that ends by itself is named, with the end of its log.
func TestFallenDaemon(t *testing.T) {
	c, m := newMachine(t)
	boot(t, c, m)
	if err := c.fallen(); err != nil {
		t.Fatal(err)
	}
	if err := m.stop(t.Context(), "sleeper"); err != nil {
		t.Fatal(err)
	}
	if err := c.fallen(); err != nil {
		t.Errorf("a daemon that was stopped has fallen: %v", err)
	}
	log := c.log(m.name, "sleeper")
	if err := m.start(daemon{"sleeper", []string{"-c", "sleep 0.2; echo cannot go on; exit 3"}}, log); err != nil {
		t.Fatal(err)
	}
	err := c.waitFor(t.Context(), m.name, "sleeper", "the impossible", func() (bool, error) { return false, nil })
	for _, want := range []string{"sleeper of node9 is not running", log, "cannot go on"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// The mounts are made, or the machine does not start.
func TestMachineThatCannotStart(t *testing.T) {
	c, m := newMachine(t)
	if err := m.prepare(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, "sysctl", "no.such"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := m.boot(t.Context(), c.log(m.name, "init"))
	if err == nil || !strings.Contains(err.Error(), "/proc/sys/no/such") {
		t.Errorf("error %v, want the mount that failed", err)
	}
	if left := c.ownLeftovers(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A process id is used again, and its next holder is not our daemon.
func TestReusedProcessID(t *testing.T) {
	c := &Cluster{Dir: t.TempDir()}
	m := c.machine("node9")
	if err := os.MkdirAll(filepath.Dir(m.pidFile("sleeper")), 0o755); err != nil {
		t.Fatal(err)
	}
	self := os.Getpid()
	if err := m.record("sleeper", self); err != nil {
		t.Fatal(err)
	}
	if got := sleeper(t, m); got != self {
		t.Errorf("recorded %d, found %d", self, got)
	}
	if err := os.WriteFile(m.pidFile("sleeper"), []byte(strconv.Itoa(self)+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.daemonPID("sleeper"); err == nil {
		t.Error("takes another process for the daemon")
	}
}

// Ending a cluster that does not exist is no error, and makes nothing.
func TestDownWithoutACluster(t *testing.T) {
	c := &Cluster{Dir: filepath.Join(t.TempDir(), "cluster")}
	if err := c.teardown(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.Dir); err == nil {
		t.Errorf("made %s", c.Dir)
	}
}

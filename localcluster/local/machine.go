package local

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

//go:embed config/init.sh
var initScript []byte

// sysctls are the values that the kubelet wants of the whole computer. A machine shows it these, and the computer keeps
// its own.
var sysctls = map[string]string{
	"kernel.keys.root_maxbytes": "25000000",
	"kernel.keys.root_maxkeys":  "1000000",
	"kernel.panic":              "10",
	"kernel.panic_on_oops":      "1",
	"vm.overcommit_memory":      "1",
	"vm.panic_on_oom":           "0",
}

// machine is a computer of the cluster: namespaces that live as long as their first process, and a folder.
type machine struct {
	name  string
	dir   string
	pause string
}

// boot starts the first process and waits until the mounts are made.
func (m machine) boot(ctx context.Context, log string) error {
	if _, err := m.pid(); err == nil {
		return fmt.Errorf("%s runs already", m.name)
	}
	if err := m.prepare(); err != nil {
		return err
	}
	out, err := createLog(log)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }() // the child has its own
	cmd := exec.Command("sh", filepath.Join(m.dir, "init.sh"), m.dir, m.pause)
	cmd.Stdout, cmd.Stderr = out, out
	if err := startApart(cmd); err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	first, err := procfs.NewProc(cmd.Process.Pid)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return command.Await(ctx, m.name+" to make its mounts", func() (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("%s did not start: %w; %s", m.name, err, tailOf(log))
		default:
			args, _ := first.CmdLine() // none if it has ended
			return slices.Equal(args, []string{m.pause, m.dir}), nil
		}
	})
}

// prepare makes the files that the first process mounts.
func (m machine) prepare() error {
	for _, dir := range []string{"etc", "daemons", "sysctl", "var/lib", "var/log", "var/local", "var/tmp"} {
		if err := os.MkdirAll(filepath.Join(m.dir, dir), 0o755); err != nil {
			return err
		}
	}
	for name, value := range sysctls {
		if err := os.WriteFile(filepath.Join(m.dir, "sysctl", name), []byte(value+"\n"), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(m.dir, "init.sh"), initScript, 0o600)
}

var errOff = errors.New("is not running")

// pid returns the machine's first process.
func (m machine) pid() (int, error) {
	running, err := firstProcesses(filepath.Dir(m.dir))
	if err != nil {
		return 0, err
	}
	if pid, ok := running[m.name]; ok {
		return pid, nil
	}
	return 0, fmt.Errorf("%s %w", m.name, errOff)
}

// firstProcesses returns the first process of each machine with a folder in dir. It finds them by their argument, which
// is that folder, so that it finds them even if this program was killed right after starting one.
func firstProcesses(dir string) (map[string]int, error) {
	processes, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	found := make(map[string]int)
	for _, process := range processes {
		args, _ := process.CmdLine() // none if it has ended
		for _, arg := range args {
			if filepath.Dir(arg) == dir && isFirst(process) {
				found[filepath.Base(arg)] = process.PID
			}
		}
	}
	return found, nil
}

// isFirst reports whether a process is the first of a namespace below this one.
func isFirst(process procfs.Proc) bool {
	status, err := process.NewStatus()
	ids := status.NSpids
	return err == nil && len(ids) > 1 && ids[len(ids)-1] == 1
}

// halt ends the machine at once, as when the power is cut.
func (m machine) halt(ctx context.Context) error {
	pid, err := m.pid()
	if errors.Is(err, errOff) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	// It exists until the last of the others is gone.
	err = command.Await(ctx, m.name+" to end all its processes", func() (bool, error) {
		_, err := beginning(pid)
		return err != nil, nil
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(m.dir, "daemons"))
}

// start starts a daemon in the machine, out of the terminal's reach. The daemon outlives this program.
func (m machine) start(d daemon, log string) error {
	pid, err := m.pid()
	if err != nil {
		return err
	}
	if _, err := m.daemonPID(d.name); err == nil {
		return fmt.Errorf("%s of %s runs already", d.name, m.name)
	}
	out, err := createLog(log)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }() // the child has its own
	bin := filepath.Dir(m.pause)
	cmd := exec.Command(filepath.Join(bin, d.name), d.args...)
	// Nothing else of the user's environment: a proxy, for one, is not meant for the cluster.
	cmd.Env = []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = out, out
	if err := startInside(pid, cmd); err != nil {
		return fmt.Errorf("start %s of %s: %w", d.name, m.name, err)
	}
	// Its parent must reap it, or the machine cannot end.
	go func() { _ = cmd.Wait() }()
	return m.record(d.name, cmd.Process.Pid)
}

// record keeps a daemon's process id with its start time, because ids are used again.
func (m machine) record(daemon string, pid int) error {
	began, err := beginning(pid)
	if err != nil {
		return err
	}
	return os.WriteFile(m.pidFile(daemon), fmt.Appendf(nil, "%d %d\n", pid, began), 0o600)
}

func (m machine) pidFile(daemon string) string { return filepath.Join(m.dir, "daemons", daemon) }

// daemonPID returns the process of a running daemon.
func (m machine) daemonPID(daemon string) (int, error) {
	text, err := os.ReadFile(m.pidFile(daemon))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	var pid int
	var began uint64
	if _, err := fmt.Sscan(string(text), &pid, &began); err == nil {
		if now, err := beginning(pid); err == nil && now == began {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("%s of %s %w", daemon, m.name, errOff)
}

// beginning returns when a process began, in clock ticks since the computer did.
func beginning(pid int) (uint64, error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	stat, err := process.Stat()
	if err != nil {
		return 0, err
	}
	// The first thread may have ended before the others have.
	if (stat.State == "Z" || stat.State == "X") && stat.NumThreads <= 1 {
		return 0, fmt.Errorf("process %d %w", pid, errOff)
	}
	return stat.Starttime, nil
}

// stop asks a daemon to end, and kills it if it takes too long.
func (m machine) stop(ctx context.Context, daemon string) error {
	pid, err := m.daemonPID(daemon)
	if errors.Is(err, errOff) {
		return nil
	}
	if err != nil {
		return err
	}
	const grace = 10 * time.Second
	asked := time.Now()
	if err := kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	err = command.Await(ctx, daemon+" of "+m.name+" to end", func() (bool, error) {
		_, err := m.daemonPID(daemon)
		if err == nil && time.Since(asked) > grace {
			return false, kill(pid, syscall.SIGKILL)
		}
		return errors.Is(err, errOff), nil
	})
	if err != nil {
		return err
	}
	return os.Remove(m.pidFile(daemon))
}

// kill sends a signal to a process, which may have ended.
func kill(pid int, signal syscall.Signal) error {
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", signal, pid, err)
	}
	return nil
}

// createLog opens a log for more lines.
func createLog(file string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// tailOf names a log and shows its end, for an error.
func tailOf(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return fmt.Sprintf("its log cannot be read: %v", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return fmt.Sprintf("%s is empty", log)
	}
	const lines = 8
	return fmt.Sprintf("see %s, which ends:%s", log, command.LastLines(string(text), lines))
}

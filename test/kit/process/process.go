// Package process runs the connector and the operator as people do: it builds the binary, starts it as a process, and
// ends it. Tests and benchmarks use it.
package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Build compiles a program of cmd into dir and returns the binary's path. The working folder must be inside the module.
// The flags are those of go build.
func Build(ctx context.Context, dir, program string, flags ...string) (string, error) {
	binary := filepath.Join(dir, program)
	args := append(append([]string{"build", "-o", binary}, flags...), "xbot.a4b.vn/channel-connector/cmd/"+program)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build the %s: %w", program, err)
	}
	return binary, nil
}

// Process is a running child.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

var errExitZero = errors.New("exit code 0")

// Start starts cmd, out of reach of the terminal's Ctrl-C: the caller calls Stop or Kill.
func Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *Process) name() string { return filepath.Base(p.cmd.Path) }

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Stop asks the process to end, and kills it after grace. The error says how it ended; it is nil for exit code 0.
func (p *Process) Stop(grace time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name(), err)
	}
	select {
	case <-p.done:
	case <-time.After(grace):
		p.Kill()
		return fmt.Errorf("%s had not ended %s after SIGTERM and was killed", p.name(), grace)
	}
	if p.err != nil {
		return fmt.Errorf("%s ended with %w", p.name(), p.err)
	}
	return nil
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it fails only for a process that has ended
	<-p.done
}

// Wait polls ready until it returns true. It gives up when the process or ctx ends; the error names what was waited
// for.
func (p *Process) Wait(ctx context.Context, what string, ready func(context.Context) bool) error {
	// Short enough to time a start.
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !ready(ctx) {
		select {
		case <-poll.C:
		case <-p.done:
			return fmt.Errorf("%s ended while waiting for %s: %w", p.name(), what, cmp.Or(p.err, errExitZero))
		case <-ctx.Done():
			return fmt.Errorf("%s: waiting for %s: %w", p.name(), what, ctx.Err())
		}
	}
	return nil
}

// Answers returns a condition for Wait: url answers 200.
func Answers(url string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return false
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
}

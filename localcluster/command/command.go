// Package command runs programs to their end.
package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// grace is how long a child may take to clean up after it was interrupted.
const grace = 10 * time.Second

// tail is how many lines of a failed child's output an error shows. The cause is among the last; before it go prints a
// line for each of 200 downloads.
const tail = 20

// Run runs cmd, which was made with ctx. When ctx ends, Run interrupts the program with all its children and returns
// the context's error.
func Run(ctx context.Context, cmd *exec.Cmd) error {
	// It gets a process group of its own, because go leaves its compilers running if it alone is interrupted.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	if cause := ctx.Err(); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err)
	}
	return nil
}

// Main runs a program whose context ends on a signal, and exits with 1 if run returns an error.
func Main(program string, run func(ctx context.Context) error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) //nolint:forbidigo // it is main
	err := run(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, program+":", err)
		os.Exit(1)
	}
}

// Output runs cmd like Run, and returns what it printed to stdout, without white space around it. An error has the last
// lines of stderr.
func Output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := Run(ctx, cmd); err != nil {
		return "", fmt.Errorf("%w%s", err, LastLines(stderr.String(), tail))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// LastLines returns the last n lines of text, set off for an error.
func LastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	lines = lines[max(0, len(lines)-n):]
	return strings.TrimRight("\n  "+strings.Join(lines, "\n  "), "\n ")
}

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
	"time"
)

// grace is how long a child may take to clean up after it was interrupted.
const grace = 10 * time.Second

// tail is how many lines of what a failed child printed are shown: the cause is
// among the last, and before it go prints a line for each of 200 downloads.
const tail = 20

// execute runs a program in dir and returns what it printed to stdout. When ctx
// ends, the program and all that it started are interrupted.
func execute(ctx context.Context, dir, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// A workspace that a developer has around the checkout does not hold tools/.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A group of its own, because go runs compilers, and leaves them running when it
	// alone is told to end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	if cause := ctx.Err(); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w%s", filepath.Base(name), err, lastLines(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// lastLines returns the end of text, set off for an error.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	lines = lines[max(0, len(lines)-tail):]
	return strings.TrimRight("\n  "+strings.Join(lines, "\n  "), "\n ")
}

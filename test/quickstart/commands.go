package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// grace is how long a child may take to clean up after it was interrupted.
const grace = 30 * time.Second

// run runs a command and shows it with what it prints.
func (q *quickstart) run(ctx context.Context, c command) error {
	return q.runWith(ctx, nil, c)
}

// apply applies a manifest.
func (q *quickstart) apply(ctx context.Context, manifest string, values any) error {
	var text bytes.Buffer
	if err := manifests.ExecuteTemplate(&text, manifest, values); err != nil {
		return err
	}
	fmt.Fprintf(q.out, "    the file is test/quickstart/manifests/%s\n", manifest)
	return q.runWith(ctx, text.Bytes(), command{"kubectl", "apply", "-f", "-"})
}

func (q *quickstart) runWith(ctx context.Context, stdin []byte, c command) error {
	fmt.Fprintf(q.out, "    $ %s\n", c)
	cmd := newCommand(ctx, c)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), q.out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", c[0], err)
	}
	return nil
}

// lastLines returns the end of text, set off.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	lines = lines[max(0, len(lines)-tail):]
	return "\n  " + strings.Join(lines, "\n  ")
}

// output runs a command for what it prints, without white space around it.
func output(ctx context.Context, c command) (string, error) {
	cmd := newCommand(ctx, c)
	var problem strings.Builder
	cmd.Stderr = &problem
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w%s", c, err, lastLines(problem.String()))
	}
	return strings.TrimSpace(string(text)), nil
}

// newCommand lets a child clean up when ctx ends.
func newCommand(ctx context.Context, c command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c[0], c[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = grace
	return cmd
}

// until polls for as long as a pod may take, and gives up at an error.
func until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	late := time.After(patience)
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		if held, err := holds(ctx); held || err != nil {
			return err
		}
		select {
		case <-poll.C:
		case <-late:
			return fmt.Errorf("%s: not seen within %s", what, patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/command"
)

// line is a command as a person would type it.
type line []string

func (l line) String() string { return strings.Join(l, " ") }

func (l line) command(ctx context.Context) *exec.Cmd {
	return exec.CommandContext(ctx, l[0], l[1:]...)
}

// kubectl is a command in the namespace of the quickstart.
func kubectl(args ...string) line {
	return append(line{"kubectl", "--namespace", namespace}, args...)
}

func helm(args ...string) line {
	return append(line{"go", "tool", "-modfile=tools/helm/go.mod", "helm", "--namespace", namespace}, args...)
}

// run shows a command and what it prints.
func (q *quickstart) run(ctx context.Context, l line) error {
	return q.runWith(ctx, nil, l)
}

// apply applies a manifest.
func (q *quickstart) apply(ctx context.Context, manifest string, values any) error {
	var text bytes.Buffer
	if err := manifests.ExecuteTemplate(&text, manifest, values); err != nil {
		return err
	}
	fmt.Fprintf(q.out, "test/cmd/quickstart/manifests/%s:\n", manifest)
	return q.runWith(ctx, text.Bytes(), kubectl("apply", "--server-side", "--filename=-"))
}

func (q *quickstart) runWith(ctx context.Context, input []byte, l line) error {
	fmt.Fprintf(q.out, "$ %s\n", l)
	cmd := l.command(ctx)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), q.out, q.out
	return command.Run(ctx, cmd)
}

// output returns what a command prints.
func output(ctx context.Context, l line) (string, error) {
	return command.Output(ctx, l.command(ctx))
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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// tail is how many lines are shown of each place that tells why a step failed.
const tail = 20

// step is a part of the whole that can fail on its own.
type step struct {
	title string
	do    func(ctx context.Context) error
	// look are the commands that show why it failed.
	look []command
}

// command is one that a person can type, too.
type command []string

func (c command) String() string { return strings.Join(c, " ") }

// play does one step after the other, until one fails, and tells of them.
func play(ctx context.Context, out io.Writer, steps []step) error {
	for i, s := range steps {
		fmt.Fprintf(out, "\n=== %d/%d %s\n", i+1, len(steps), s.title)
		begun := time.Now()
		err := s.do(ctx)
		if ctx.Err() != nil {
			return errors.New("interrupted; run it again to go on, or \"make quickstart-down\" to remove everything")
		}
		if err != nil {
			show(ctx, out, s.look)
			return fmt.Errorf("step %d, %s: %w", i+1, s.title, err)
		}
		fmt.Fprintf(out, "    done after %.1f s\n", time.Since(begun).Seconds())
	}
	return nil
}

// show prints what each command says, in its last lines.
func show(ctx context.Context, out io.Writer, look []command) {
	for _, c := range look {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		cmd := exec.CommandContext(ctx, c[0], c[1:]...)
		text, err := cmd.CombinedOutput()
		cancel()
		fmt.Fprintf(out, "\n--- look at: %s%s\n", c, lastLines(string(text)))
		if err != nil {
			fmt.Fprintf(out, "  (%v)\n", err)
		}
	}
}

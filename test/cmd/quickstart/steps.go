package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/command"
)

// When a step has failed, tail lines of each place that tells why are shown, and
// none may take longer than lookup.
const (
	tail   = 20
	lookup = 20 * time.Second
)

// step is a part of the whole that can fail on its own.
type step struct {
	title string
	do    func(ctx context.Context) error
	// look are the commands that show why it failed.
	look []line
}

// play does one step after the other, until one fails, and tells of them.
func play(ctx context.Context, out io.Writer, steps []step) error {
	for i, s := range steps {
		fmt.Fprintf(out, "\n=== %d/%d %s\n\n", i+1, len(steps), s.title)
		begun := time.Now()
		err := s.do(ctx)
		if ctx.Err() != nil {
			return errors.New("interrupted; run it again to go on, or \"make quickstart-down\" to remove everything")
		}
		if err != nil {
			show(ctx, out, s.look)
			return fmt.Errorf("step %d, %s: %w", i+1, s.title, err)
		}
		fmt.Fprintf(out, "\n    done after %.1f s\n", time.Since(begun).Seconds())
	}
	return nil
}

// show prints the last lines of what each command says.
func show(ctx context.Context, out io.Writer, look []line) {
	for _, l := range look {
		ctx, cancel := context.WithTimeout(ctx, lookup)
		text, err := l.command(ctx).CombinedOutput()
		cancel()
		fmt.Fprintf(out, "\n--- look at: %s%s\n", l, command.LastLines(string(text), tail))
		if err != nil {
			fmt.Fprintf(out, "  (%v)\n", err)
		}
	}
}

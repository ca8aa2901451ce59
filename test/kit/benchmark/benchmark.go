// Package benchmark has the parts that the benchmarks of connector and operator share: their flags, and the table of
// figures with their limits.
package benchmark

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Run is one run of a benchmark.
type Run struct {
	// Figures are the numbers of the figures to measure.
	Figures []int
	// Folder is for all files; it is removed at the end.
	Folder string
	// Conditions describe machine and load at the time of the measurement.
	Conditions string

	name   string
	most   int
	chosen string
	dir    string
	rows   []Row
}

// New makes a benchmark of numbered figures, and its flags. onDisk is the help text of -dir: what the benchmark keeps
// there.
func New(name string, figures int, onDisk string) *Run {
	r := &Run{name: name, most: figures}
	all := make([]string, figures)
	for i := range all {
		all[i] = strconv.Itoa(i + 1)
	}
	flag.StringVar(&r.chosen, "figure", strings.Join(all, ","), "the figures to measure")
	flag.StringVar(&r.dir, "dir", os.TempDir(), onDisk)
	return r
}

// Main measures and prints the table to stdout. It ends the process with exit code 1 if that fails; a figure beyond its
// limit is no failure.
func (r *Run) Main(ctx context.Context, limit time.Duration, measure func(context.Context) error) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, limit)
	defer cancel()
	Exit(r.name, r.run(ctx, measure))
}

// Exit ends the process with exit code 1 if there is an error.
func Exit(name string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func (r *Run) run(ctx context.Context, measure func(context.Context) error) (err error) {
	if err := r.parseFigures(); err != nil {
		return err
	}
	if r.Folder, err = os.MkdirTemp(r.dir, r.name+"-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.Folder)) }()
	r.Conditions = machine()
	if err := measure(ctx); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s\n\n", r.Conditions)
	return printTable(os.Stdout, r.rows)
}

func (r *Run) parseFigures() error {
	for name := range strings.SplitSeq(r.chosen, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(name))
		if err != nil || n < 1 || n > r.most {
			return fmt.Errorf("-figure %q: want numbers from 1 to %d, separated by commas", r.chosen, r.most)
		}
		r.Figures = append(r.Figures, n)
	}
	return nil
}

// Figure measures a figure, or a part of one, if it is chosen.
func (r *Run) Figure(n int, measure func() error) error {
	if !slices.Contains(r.Figures, n) {
		return nil
	}
	Sayf("figure %d …", n)
	if err := measure(); err != nil {
		return fmt.Errorf("figure %d: %w", n, err)
	}
	return nil
}

// Sayf reports progress.
func Sayf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Pause waits until a program is at rest.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// machine describes the machine and its load.
func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo") // for people only
	for line := range strings.Lines(string(text)) {
		if name, found := strings.CutPrefix(line, "model name"); found {
			model = strings.TrimLeft(strings.TrimSpace(name), ": \t")
			break
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%d × %s, %s, load average %.14s", runtime.NumCPU(), model, runtime.Version(), load)
}

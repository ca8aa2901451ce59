// Package benchmark is the frame of the benchmarks of connector and operator: their flags, and the table of figures
// with the asked value of each.
package benchmark

import (
	"context"
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

	"xbot.a4b.vn/channel-connector/test/kit/must"
)

// timeLimit bounds a whole benchmark.
const timeLimit = time.Hour

// Run is one run of a benchmark.
type Run struct {
	must.Scope
	// Folder is for everything on disk. It is removed at the end.
	Folder string
	// Conditions describe the circumstances of the measurement.
	Conditions string

	name   string
	most   int
	chosen string
	dir    string
	// figures are the numbers to measure, figure is the one under way.
	figures []int
	figure  int
	rows    []Row
}

// New makes a benchmark of numbered figures, and its flags.
func New(name string, figures int) *Run {
	r := &Run{name: name, most: figures}
	all := make([]string, figures)
	for i := range all {
		all[i] = strconv.Itoa(i + 1)
	}
	flag.StringVar(&r.chosen, "figure", strings.Join(all, ","), "the figures to measure")
	flag.StringVar(&r.dir, "dir", os.TempDir(), "where the benchmark's folder is made; its disk decides the cost of a sync")
	return r
}

// Main measures, prints the table to stdout, and ends the process with exit code 1 if an error ends the measurement. A
// figure that is missed is no error.
func (r *Run) Main(ctx context.Context, measure func(context.Context)) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, timeLimit)
	defer cancel()
	Exit(r.name, must.Catch(func() { r.Within(func() { r.run(ctx, measure) }) }))
}

// Exit ends the process with exit code 1 if there is an error.
func Exit(name string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func (r *Run) run(ctx context.Context, measure func(context.Context)) {
	must.Do(r.parseFigures())
	r.Folder = must.Get(os.MkdirTemp(r.dir, r.name+"-"))
	r.Cleanup(func() { must.Do(os.RemoveAll(r.Folder)) })
	r.Conditions = machine()
	r.Within(func() { measure(ctx) })
	fmt.Fprintf(os.Stdout, "%s\n\n", r.Conditions)
	must.Do(printTable(os.Stdout, r.rows))
}

func (r *Run) parseFigures() error {
	for name := range strings.SplitSeq(r.chosen, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(name))
		if err != nil || n < 1 || n > r.most {
			return fmt.Errorf("-figure %q: want numbers from 1 to %d, separated by commas", r.chosen, r.most)
		}
		r.figures = append(r.figures, n)
	}
	return nil
}

// Chosen reports whether a figure is to be measured.
func (r *Run) Chosen(n int) bool { return slices.Contains(r.figures, n) }

// Figure measures a figure, or a part of one, if it is chosen. The rows that it adds bear its number.
func (r *Run) Figure(n int, measure func()) {
	if !r.Chosen(n) {
		return
	}
	Sayf("figure %d …", n)
	r.figure = n
	if err := must.Catch(func() { r.Within(measure) }); err != nil {
		must.Do(fmt.Errorf("figure %d: %w", n, err))
	}
}

// Sayf reports progress to stderr.
func Sayf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Pause waits, so that a program at rest can be measured.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		must.Do(context.Cause(ctx))
	}
}

// machine describes the processors and their load.
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

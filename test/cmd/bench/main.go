// Bench measures the connector against a bare net/http server in the same run
// and prints a table. `make bench` runs it; Linux only, since it reads /proc.
//
//	go run ./test/cmd/bench -figure 1,5 -duration 10s -rounds 7
//
// # How to read the table
//
// BASELINE is a bare net/http server that reads the body and answers the
// connector's JSON. CONNECTOR is the real binary with its inbox on disk. Each
// is a process of its own, and so is the client, which is the same for both:
// the same connections, and events of xBot's example's size (269 bytes) with
// ids of their own over 10,000 conversations, made and signed before the clock
// runs. The two are measured in turn, A B A B …; the first round warms up.
//
// RESULT is the median over the rounds of connector divided by baseline, with
// the lowest and highest round in brackets: it carries from one machine to
// another better than any rate does. A wide bracket means a busy machine; run
// again. Rates and times are medians. ASKED is what we want to hold.
//
//  1. Accept alone: delivery paused, signature Enforce, every event fsynced
//     before its 200.
//  2. Accept and deliver to a local sink. The clock stops when the sink has
//     everything.
//  3. Resident memory: idle, and the peak (VmHWM) of each phase that follows,
//     up to a backlog of 1,000,000 events; then the time from the start of the
//     process to the first 200 of /readyz after a SIGKILL.
//  4. The same with 1,000 channels; the reload runs from the replacement of the
//     file to the first call that its new key lets in.
//  5. From the client's write to the sink's read, through the connector and
//     straight, at a fixed 1,000 events/s.
//
// Figures 2 and 5 have a second line whose baseline is the floor: a program of a few
// dozen lines (floor.go) that receives, checks the SHA-256, appends to one file with an
// fsync that all who wait share, and forwards with net/http. It shows what the same work
// costs without a queue, order, duplicates, retries and bounds.
//
// With -against each line has another one, whose baseline is the connector of that
// commit. It is built from the commit's files, has the configuration that they hold, and
// takes turns with this one in the same rounds. "No worse" leaves 5 % to chance.
//
// A call that is not answered 200, or an event that does not arrive, ends the
// benchmark with an error. A figure that is missed does not.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// timeLimit bounds the whole benchmark.
const timeLimit = time.Hour

var figures = []func(context.Context, *bench) error{figure1, figure2, figure3, figure4, figure5}

// options are what a person can choose.
type options struct {
	figures     []int
	duration    time.Duration
	rounds      int
	connections int
	against     string
	dir         string
}

func main() {
	role := flag.String("role", "", "used by the benchmark itself: what its child processes are")
	settings := flag.String("settings", "{}", "used by the benchmark itself: the settings of a child process")
	var o options
	chosen := flag.String("figure", "1,2,3,4,5", "the figures to measure")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long one round of load lasts")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each side of a comparison is measured")
	flag.IntVar(&o.connections, "connections", 256, "connections of the load of figures 1 to 4")
	flag.StringVar(&o.against, "against", "", "a commit to compare with: its connector takes turns with this one")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where inboxes are laid; its disk decides what a sync costs")
	flag.Parse()

	var err error
	switch *role {
	case "server":
		var s serverSettings
		if err = json.Unmarshal([]byte(*settings), &s); err == nil {
			err = runServer(s, os.Stdin, os.Stdout)
		}
	case "floor":
		var s floorSettings
		if err = json.Unmarshal([]byte(*settings), &s); err == nil {
			err = runFloor(s, os.Stdin, os.Stdout)
		}
	case "load":
		err = runLoad(os.Stdin, os.Stdout)
	default:
		if o.figures, err = parseFigures(*chosen); err == nil {
			err = run(o)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseFigures(list string) ([]int, error) {
	var numbers []int
	for name := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(name))
		if err != nil || n < 1 || n > len(figures) {
			return nil, fmt.Errorf("-figure %q: want numbers from 1 to %d, separated by commas", list, len(figures))
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func run(o options) (err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, timeLimit)
	defer cancel()

	folder, err := os.MkdirTemp(o.dir, "connector-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{options: o, folder: folder, self: self, table: &table{progress: os.Stderr}}
	if b.builds, err = makeBuilds(ctx, folder, o.against); err != nil {
		return err
	}
	sync, err := syncTime(folder)
	if err != nil {
		return err
	}
	for _, n := range o.figures {
		fmt.Fprintf(os.Stderr, "figure %d …\n", n)
		if err := figures[n-1](ctx, b); err != nil {
			return fmt.Errorf("figure %d: %w", n, err)
		}
	}
	fmt.Printf("%s; %d rounds of %s, %d connections; one fsync of 4 KiB takes %s here\n\n",
		machine(), o.rounds, o.duration, o.connections, sync)
	return b.table.print(os.Stdout)
}

// machine says where figures were measured, and what else ran there.
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

// syncTime is the median time of an fsync in folder: a disk that syncs in no
// time (a RAM disk) flatters every figure.
func syncTime(folder string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(folder, "sync"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	var times []float64
	for range 50 {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, float64(time.Since(begin)))
	}
	return time.Duration(series.Series(times).Quantile(0.5)).Round(time.Microsecond), nil
}

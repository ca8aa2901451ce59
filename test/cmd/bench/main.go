// Bench measures the connector against a bare net/http server in the same run
// and prints a table. `make bench` runs it; Linux only, since it reads /proc.
//
//	go run ./test/cmd/bench -figure 1,5 -duration 10s -rounds 7
//
// # How to read the table
//
// BASELINE is a bare net/http server that reads the body and answers the
// connector's JSON. MEASURED is the real connector with its inbox on disk. Each
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
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// timeLimit bounds the whole benchmark.
const timeLimit = time.Hour

var figures = []func(context.Context, *bench) error{figure1, figure2, figure3, figure4, figure5}

// bench is one run of the benchmark.
type bench struct {
	*benchmark.Run
	duration    time.Duration
	rounds      int
	connections int
	against     string
	// builds are the connectors under test: this commit's, and the one that it is
	// compared with.
	builds []build
	self   string // this binary, to start servers and loads from
	sent   int    // events so far; the next one's number
	floors int    // started so far
}

func main() {
	role := flag.String("role", "", "used by the benchmark itself: what its child processes are")
	settings := flag.String("settings", "{}", "used by the benchmark itself: the settings of a child process")
	b := &bench{Run: benchmark.New("bench", len(figures), "where inboxes are laid; its disk decides what a sync costs")}
	flag.DurationVar(&b.duration, "duration", 5*time.Second, "how long one round of load lasts")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each side of a comparison is measured")
	flag.IntVar(&b.connections, "connections", 256, "connections of the load of figures 1 to 4")
	flag.StringVar(&b.against, "against", "", "a commit to compare with: its connector takes turns with this one")
	flag.Parse()
	switch *role {
	case "server":
		benchmark.Exit("bench", runRole(*settings, runServer))
	case "floor":
		benchmark.Exit("bench", runRole(*settings, runFloor))
	case "load":
		benchmark.Exit("bench", runLoad(os.Stdin, os.Stdout))
	default:
		b.Main(context.Background(), timeLimit, b.measure)
	}
}

// runRole is a child process that serves until its parent ends.
func runRole[S any](settings string, run func(settings S, in io.Reader, out io.Writer) error) error {
	var s S
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		return err
	}
	return run(s, os.Stdin, os.Stdout)
}

func (b *bench) measure(ctx context.Context) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.builds, err = makeBuilds(ctx, b.Folder, b.against); err != nil {
		return err
	}
	sync, err := syncTime(b.Folder)
	if err != nil {
		return err
	}
	b.Conditions += fmt.Sprintf("; %d rounds of %s, %d connections; one fsync of 4 KiB takes %s here", b.rounds, b.duration, b.connections, sync)
	for _, n := range b.Figures {
		if err := b.Figure(n, func() error { return figures[n-1](ctx, b) }); err != nil {
			return err
		}
	}
	return nil
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

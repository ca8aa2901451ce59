// Bench measures the connector against a bare net/http server in the same run and prints a table. `make bench` runs it;
// Linux only, since it reads /proc.
//
//	go run ./test/cmd/bench -figure 1,5 -duration 10s -rounds 7
//
// # How to read the table
//
// BASELINE is a bare net/http server that reads the body and answers the connector's JSON. MEASURED is the real
// connector with its inbox on disk. Each is a process of its own, and so is the client, which is the same for both: the
// same connections, and events of xBot's example's size (269 bytes) with ids of their own over 10,000 conversations,
// made and signed before the clock runs. The two are measured in turn, A B A B …; the first round warms up.
//
// RESULT is the median over the rounds of connector divided by baseline, with the lowest and highest round in brackets:
// it carries from one machine to another better than any rate does. A wide bracket means a busy machine; run again.
// Rates and times are medians. ASKED is the bound that we want to hold.
//
//  1. Accept alone: delivery paused, signature Enforce, every event fsynced before its 200.
//  2. Accept and deliver to a local sink. The clock stops when the sink has everything.
//  3. Resident memory: idle, and the peak (VmHWM) of each phase that follows, up to a backlog of 1,000,000 events; then
//     the time from the start of the process to the first 200 of /readyz after a SIGKILL.
//  4. The same with 1,000 channels; the reload runs from the replacement of the file to the first call that its new key
//     lets in.
//  5. From the client's write to the sink's read, through the connector and straight, at a fixed 1,000 events/s.
//  6. Accept alone, of each type of channel. BASELINE is ZaloOA in a connector of its own. AzureBot remembers the tokens
//     that it has verified: one line has a token for all calls, the other more tokens than it remembers.
//
// Figures 2 and 5 have a second line whose baseline is the floor: a program of a few dozen lines (floor.go) that
// receives, checks the SHA-256, appends to one file with an fsync that all waiting calls share, and forwards with
// net/http. It shows the price of the same work without a queue, order, duplicates, retries and bounds.
//
// With -against each line has another one, whose baseline is the connector of that commit. It is built from the
// commit's files, has the configuration that they hold, and takes turns with this one in the same rounds. "No worse"
// leaves 5 % to chance.
//
// The benchmark ends with an error if a call is not answered 200, or if an event does not arrive; not if a figure is
// missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// roles are the child processes.
var roles = process.Roles{
	"server": process.NewRole(runServer), "floor": process.NewRole(runFloor), "load": process.NewRole(runLoad),
}

// bench is one run of the benchmark.
type bench struct {
	*benchmark.Run
	duration time.Duration
	rounds   int
	against  string
	// builds are the connectors under test: this commit's, and the one that it is compared with.
	builds []build
	sent   int // events so far; the next one's number
	floors int // started so far
}

func main() {
	if played, err := roles.Play(); played {
		benchmark.Exit("bench", err)
		return
	}
	b := &bench{Run: benchmark.New("bench", 6)}
	flag.DurationVar(&b.duration, "duration", 5*time.Second, "how long one round of load lasts")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each side of a comparison is measured")
	flag.StringVar(&b.against, "against", "", "a commit to compare with: its connector takes turns with this one")
	flag.Parse()
	b.Main(context.Background(), b.measure)
}

func (b *bench) measure(ctx context.Context) {
	b.builds = makeBuilds(ctx, b.Folder, b.against)
	b.Conditions += fmt.Sprintf("; %d rounds of %s, %d connections; one fsync of 4 KiB takes %s here",
		b.rounds, b.duration, connections, syncTime(b.Folder))
	for i, figure := range []func(context.Context){b.figure1, b.figure2, b.figure3, b.figure4, b.figure5, b.figure6} {
		b.Figure(i+1, func() { figure(ctx) })
	}
}

// syncTime is the median time of an fsync in folder: a disk that syncs in no time (a RAM disk) flatters every figure.
func syncTime(folder string) time.Duration {
	f := must.Get(os.Create(filepath.Join(folder, "sync")))
	defer func() { _ = f.Close() }()
	times := make(series.Series, 50)
	for i := range times {
		must.Get(f.Write(make([]byte, 4096)))
		begin := time.Now()
		must.Do(f.Sync())
		times[i] = float64(time.Since(begin))
	}
	return time.Duration(times.Median()).Round(time.Microsecond)
}

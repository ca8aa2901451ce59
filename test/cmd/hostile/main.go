// Hostile runs a real connector for a given time against everything at once, and judges whether it keeps its promises.
// `make hostile` runs it for an hour. It runs on Linux only, and fills the disk only as root, since it mounts a small
// one.
//
//	go run ./test/cmd/hostile -for 1h
//
// An honest platform calls four channels, each of 20 conversations, as Zalo does, with a ladder of retries that is 300
// times as fast, and four bots take the events. Meanwhile there are, at once,
//
//   - strangers that hold connections to the webhook's and the metrics' port, and open new ones,
//   - callers that have a channel's API key without its OA secret, and a signed call of long ago,
//   - bots that change their mood every few seconds: down, 101, bodies and headers without end, 429 and 503, resets,
//     redirects, silence, a conversation that they refuse,
//   - kills, SIGTERMs, rotated keys, moved sinks, bad versions of the configuration, a limit of 1024 files in every
//     second life,
//   - jumps of the wall clock by up to 10 years (see test/kit/wallclock),
//   - a disk that is full for seconds,
//   - copies of the stopped inbox with a damaged file, which are exported and served.
//
// In the end the bots are kind, and every acknowledged event must have been taken, or be a dead letter that a bot
// refused. A table of figures goes to stdout, each broken promise at once to stderr. The exit code is 1 if one was
// broken.
//
// With the word strangers, clients without a key attack one connector after the other. It prints how many signed calls
// are answered in time meanwhile, on kept and on new connections, and the connector's peak of memory.
//
//	go run ./test/cmd/hostile strangers                    # everything, about 10 minutes
//	go run ./test/cmd/hostile strangers -attack held -for 1m
//	go run ./test/cmd/hostile strangers -binary old/connector
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
)

// options are those of the command line.
type options struct {
	duration    time.Duration
	connections int
	rate        int
	pause       time.Duration
	seed        uint64
}

// roles are the child processes.
var roles = process.Roles{attackersRole: process.NewRole(runAttack)}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	played, err := roles.Play()
	if !played {
		err = must.Catch(func() { run(ctx, os.Args[1:]) })
	}
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

// run runs the program that the first argument names.
func run(ctx context.Context, args []string) {
	if len(args) > 0 && args[0] == "strangers" {
		strangersMain(ctx, args[1:])
		return
	}
	var o options
	flag.DurationVar(&o.duration, "for", time.Hour, "how long to attack")
	flag.IntVar(&o.connections, "connections", 3000, "connections that strangers hold")
	flag.IntVar(&o.rate, "rate", 300, "hostile connections that are opened a second")
	flag.DurationVar(&o.pause, "pause", 4*time.Second, "the longest pause between two disturbances")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "the seed of everything random")
	flag.Parse()
	fmt.Fprintln(os.Stderr, "seed", o.seed)
	c := &campaign{
		options: o, folder: must.Get(os.MkdirTemp("", "connector-hostile-")), random: newRandom(o.seed, 0),
		promises: newPromises(os.Stderr), counts: make(map[string]int), refused: make(map[string]float64),
	}
	c.Within(func() {
		c.Cleanup(func() { must.Do(os.RemoveAll(c.folder)) })
		c.run(ctx)
	})
	must.Do(printTable(os.Stdout, c.figures(), c.promises))
	switch {
	case !c.clockMoved():
		must.Do(errors.New("the connector's clock did not move"))
	case !c.promises.kept():
		must.Do(errors.New("promises were broken"))
	}
}

// Hostile runs a real connector for a given time against everything at once, and
// judges whether it keeps its promises. `make hostile` runs it for an hour; Linux
// only, and as root where the disk is to be filled, since it mounts a small one.
//
//	go run ./test/cmd/hostile -for 1h
//
// An honest platform calls four channels, each of 20 conversations, as Zalo does,
// with a ladder of retries that is 300 times as fast, and four bots take the
// events. Meanwhile there are, at once,
//
//   - strangers that hold connections to the webhook's and the metrics' port, and
//     open new ones,
//   - callers that have a channel's API key and not its OA secret, and a signed call
//     of long ago,
//   - bots that change their mood every few seconds: down, 101, bodies and headers
//     without end, 429 and 503, resets, redirects, silence, a conversation that they
//     refuse,
//   - kills, SIGTERMs, rotated keys, moved sinks, bad versions of the configuration,
//     a limit of 1024 files in every second life,
//   - jumps of the wall clock by up to 10 years (see test/kit/wallclock),
//   - a disk that is full for seconds,
//   - copies of the stopped inbox with a damaged file, which are exported and served.
//
// In the end the bots are kind, and everything acknowledged must have been taken, or
// be a dead letter that a bot refused. A table of figures goes to stdout, each broken
// promise to stderr when it is seen. The exit code is 1 when one was broken.
//
// With the word strangers it attacks one connector after the other, each for a while as
// clients without a key would, and prints how many signed calls are answered in time
// meanwhile, on kept and on new connections, and how much memory the connector takes.
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
)

// options are what a person can choose.
type options struct {
	duration    time.Duration
	connections int
	rate        int
	pause       time.Duration
	seed        uint64
	dir         string
}

var errBroken = errors.New("promises were broken")

// attackersCommand begins the command line of the campaign's attackers.
const attackersCommand = "attackers"

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, append(os.Args[1:], ""))
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

// run is the program that the first argument says; the last one is empty.
func run(ctx context.Context, args []string) error {
	switch args[0] {
	case attackersCommand:
		return runAttack(os.Stdin, os.Stdout)
	case floodCommand:
		return underOrders(os.Stdin, flood.begin)
	case "strangers":
		return strangersMain(ctx, args[1:len(args)-1])
	}
	return campaignMain(ctx)
}

func campaignMain(ctx context.Context) (err error) {
	var o options
	flag.DurationVar(&o.duration, "for", time.Hour, "how long to attack")
	flag.IntVar(&o.connections, "connections", 3000, "connections that strangers hold")
	flag.IntVar(&o.rate, "rate", 300, "hostile connections that are opened a second")
	flag.DurationVar(&o.pause, "pause", 4*time.Second, "the longest pause between two disturbances")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "of what is random")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where the campaign's folder is made")
	flag.Parse()
	folder, err := os.MkdirTemp(o.dir, "connector-hostile-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	fmt.Fprintln(os.Stderr, "seed", o.seed)
	c := &campaign{
		options: o, folder: folder, random: newRandom(o.seed, 0),
		promises: &promises{progress: os.Stderr, counts: make(map[string]int)},
		calls:    calls{byError: make(map[string]int)},
		counts:   make(map[string]int), refused: make(map[string]float64),
	}
	if err := c.run(ctx); err != nil {
		return err
	}
	if err := printTable(os.Stdout, c.figures(), c.promises); err != nil {
		return err
	}
	switch {
	case !c.clockMoved():
		return errors.New("the connector's clock did not move")
	case !c.promises.kept():
		return errBroken
	}
	return nil
}

// Quickstart shows the connector at work in Kubernetes; `make quickstart` runs it,
// in the repository's top folder. It starts a cluster, makes the images and
// installs the operator with its Helm chart, then goes the way of Zalo's console: it
// makes a channel whose OA secret key nobody knows yet, makes the calls that verify
// its URL, makes the Secret with the key, sends xBot's published example event as
// Zalo does, and shows what the bot gets. Every step says how long it took, and a
// failed one where to look. A second run goes on from where the first one was, and
// sends another event. "down" removes everything.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"xbot.a4b.vn/channel-connector/test/kit/example"
)

func main() {
	q := quickstart{out: os.Stdout, message: example.Key(10)}
	flag.StringVar(&q.cluster, "cluster", local, "local, kind or current, see localcluster/cmd/cluster")
	flag.StringVar(&q.image, "image", "channel-connector", "the connector's image; the operator's has -operator added")
	flag.StringVar(&q.version, "version", "dev", "the version, which is the images' tag")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := q.play(ctx, flag.Arg(0))
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nquickstart:", err)
		os.Exit(1)
	}
}

func (q *quickstart) play(ctx context.Context, what string) error {
	switch what {
	case "up":
		return q.up(ctx)
	case "down":
		return q.down(ctx)
	default:
		return fmt.Errorf("say up or down, not %q", what)
	}
}

// Cluster runs the Kubernetes that the quickstart and the end-to-end tests use. In the repository's top folder:
//
//	go -C localcluster run ./cmd/cluster [-cluster local|kind|current] COMMAND
//
// The kinds of cluster:
//
//	local    made on this machine, of binaries built from Go modules; Linux, root
//	kind     a cluster of kind, in Docker; nobody has tried it yet
//	current  the one of the current kubectl context, which is used and left as it is
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"xbot.a4b.vn/channel-connector/localcluster/command"
	"xbot.a4b.vn/channel-connector/localcluster/local"
)

// cluster is what every kind of cluster does.
type cluster interface {
	Up(ctx context.Context) error
	Down(ctx context.Context) error
	Status(ctx context.Context, out io.Writer) error
	Kubeconfig(ctx context.Context) (string, error)
	LoadImages(ctx context.Context, archives ...string) error
	AddNode(ctx context.Context) error
}

func main() {
	command.Main("cluster", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) })
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprintln(stderr, usage()) }
	kind := flags.String("cluster", "local", "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	chosen, err := find(flags.Args())
	if err != nil {
		return fmt.Errorf("%w\n\n%s", err, usage())
	}
	c, err := newCluster(*kind, stderr)
	if err != nil {
		return err
	}
	return chosen.run(ctx, c, flags.Args()[1:], stdout)
}

// usage lists the commands, those of a local cluster last.
func usage() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "usage: go -C localcluster run ./cmd/cluster [-cluster local|kind|current] COMMAND\n\n")
	for i, c := range actions {
		if c.local != nil && actions[i-1].local == nil {
			fmt.Fprint(table, "\nOf a local cluster only:\n\n")
		}
		fmt.Fprintf(table, "  %s\t%s\n", c.usage, c.help)
	}
	_ = table.Flush() // a Builder never fails
	return strings.TrimSpace(text.String())
}

// find returns the action that the arguments name, or an error if their number is wrong.
func find(args []string) (action, error) {
	if len(args) == 0 {
		return action{}, errors.New("no command")
	}
	i := slices.IndexFunc(actions, func(c action) bool { return strings.Fields(c.usage)[0] == args[0] })
	if i < 0 {
		return action{}, fmt.Errorf("unknown command %q", args[0])
	}
	c, wanted, given := actions[i], len(strings.Fields(actions[i].usage))-1, len(args)-1
	switch {
	case strings.HasSuffix(c.usage, "..."):
		if given == 0 {
			return c, errors.New("load-image needs the file of an image")
		}
	case wanted == 0 && given > 0:
		return c, fmt.Errorf("%s takes no arguments, and flags come before it", args[0])
	case wanted != given:
		return c, fmt.Errorf("%s takes %d arguments, not %d, and flags come before it", args[0], wanted, given)
	}
	return c, nil
}

func newCluster(kind string, out io.Writer) (cluster, error) {
	switch kind {
	case "local":
		return local.New(out)
	case "kind":
		return newKindCluster(out)
	case "current":
		return newCurrentCluster(out)
	default:
		return nil, fmt.Errorf("unknown kind of cluster %q: want local, kind or current", kind)
	}
}

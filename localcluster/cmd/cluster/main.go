// Cluster runs the Kubernetes that the quickstart and the end-to-end tests use. In
// the repository's top folder:
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
	"os/signal"
	"strings"
	"syscall"

	"xbot.a4b.vn/channel-connector/localcluster/local"
)

const usage = `usage: go -C localcluster run ./cmd/cluster [-cluster local|kind|current] COMMAND

  up                  start the cluster, unless it is up
  down                remove it with everything that it made
  status              tell what runs; fails if the cluster is not up
  kubeconfig          print the path of the administrator's kubeconfig
  load-image FILE...  import image archives (OCI, docker save) into every node
  add-node            add a node

Of a local cluster only:

  host-address                print the address at which pods reach this machine
  renew-volumes               empty the volumes whose claims were deleted, and offer them again
  stop-daemon MACHINE DAEMON  end one daemon of a machine, and nothing else
  start-daemon MACHINE DAEMON start it again, and do not wait until it serves
  kill-container NODE ID      end a container with SIGKILL; ID is the one in the pod's status
  halt-node NODE              cut a node's power; its disk stays
  boot-node NODE              turn it on again, and do not wait until it is ready
`

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
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	kind := flags.String("cluster", "local", "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if err := checkArguments(flags.Args()); err != nil {
		return fmt.Errorf("%w\n\n%s", err, strings.TrimSpace(usage))
	}
	c, err := newCluster(*kind, stderr)
	if err != nil {
		return err
	}
	return do(ctx, c, flags.Arg(0), flags.Args()[1:], stdout)
}

// checkArguments sees to the command and the number of its arguments.
func checkArguments(args []string) error {
	if len(args) == 0 {
		return errors.New("no command")
	}
	command, rest := args[0], len(args)-1
	switch command {
	case "up", "down", "status", "kubeconfig", "add-node":
		if rest > 0 {
			return fmt.Errorf("%s takes no arguments, and flags come before it", command)
		}
	case "load-image":
		if rest == 0 {
			return errors.New("load-image needs the file of an image")
		}
	default:
		only, known := localCommands[command]
		if !known {
			return fmt.Errorf("unknown command %q", command)
		}
		if rest != only.arguments {
			return fmt.Errorf("%s takes %d arguments, not %d, and flags come before it", command, only.arguments, rest)
		}
	}
	return nil
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

func do(ctx context.Context, c cluster, command string, args []string, stdout io.Writer) error {
	switch command {
	case "up":
		return c.Up(ctx)
	case "down":
		return c.Down(ctx)
	case "status":
		return c.Status(ctx, stdout)
	case "load-image":
		return c.LoadImages(ctx, args...)
	case "add-node":
		return c.AddNode(ctx)
	case "kubeconfig":
		path, err := c.Kubeconfig(ctx)
		if err == nil {
			fmt.Fprintln(stdout, path)
		}
		return err
	default:
		machines, ok := c.(*local.Cluster)
		if !ok {
			return fmt.Errorf("%s is for a local cluster only: use CLUSTER=local", command)
		}
		if _, err := machines.Kubeconfig(ctx); err != nil {
			return err
		}
		return localCommands[command].do(ctx, machines, args, stdout)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"xbot.a4b.vn/channel-connector/localcluster/local"
)

// action is something to do with a cluster.
type action struct {
	// usage is the command's name with its arguments.
	usage string
	help  string
	any   func(ctx context.Context, c cluster, args []string, stdout io.Writer) error
	// local is set instead of any if only a local cluster can do it.
	local func(ctx context.Context, c *local.Cluster, args []string, stdout io.Writer) error
}

var actions = []action{
	{"up", "start the cluster, unless it is up",
		func(ctx context.Context, c cluster, _ []string, _ io.Writer) error { return c.Up(ctx) }, nil},
	{"down", "remove it with everything that it made",
		func(ctx context.Context, c cluster, _ []string, _ io.Writer) error { return c.Down(ctx) }, nil},
	{"status", "list what runs; fails if the cluster is not up",
		func(ctx context.Context, c cluster, _ []string, stdout io.Writer) error { return c.Status(ctx, stdout) }, nil},
	{"kubeconfig", "print the path of the administrator's kubeconfig",
		func(ctx context.Context, c cluster, _ []string, stdout io.Writer) error {
			path, err := c.Kubeconfig(ctx)
			if err == nil {
				fmt.Fprintln(stdout, path)
			}
			return err
		}, nil},
	{"load-image FILE...", "import image archives (OCI, docker save) into every node",
		func(ctx context.Context, c cluster, args []string, _ io.Writer) error {
			return c.LoadImages(ctx, args...)
		}, nil},
	{"add-node", "add a node",
		func(ctx context.Context, c cluster, _ []string, _ io.Writer) error { return c.AddNode(ctx) }, nil},
	{"host-address", "print the address at which pods reach this machine", nil,
		func(_ context.Context, _ *local.Cluster, _ []string, stdout io.Writer) error {
			fmt.Fprintln(stdout, local.HostAddress)
			return nil
		}},
	{"renew-volumes", "empty the volumes whose claims were deleted, and offer them again", nil,
		func(ctx context.Context, c *local.Cluster, _ []string, _ io.Writer) error { return c.RenewVolumes(ctx) }},
	{"enforce-policies", "let every node enforce NetworkPolicies; builds what does so, once", nil,
		func(ctx context.Context, c *local.Cluster, _ []string, _ io.Writer) error {
			return c.EnforcePolicies(ctx)
		}},
	{"ignore-policies", "let no node enforce them any more", nil,
		func(ctx context.Context, c *local.Cluster, _ []string, _ io.Writer) error {
			return c.IgnorePolicies(ctx)
		}},
	{"stop-daemon MACHINE DAEMON", "end one daemon of a machine, and nothing else", nil,
		func(ctx context.Context, c *local.Cluster, args []string, _ io.Writer) error {
			return c.StopDaemon(ctx, args[0], args[1])
		}},
	{"start-daemon MACHINE DAEMON", "start it again, and do not wait until it serves", nil,
		func(_ context.Context, c *local.Cluster, args []string, _ io.Writer) error {
			return c.StartDaemon(args[0], args[1])
		}},
	{"kill-container NODE ID", "end a container with SIGKILL; ID is the one in the pod's status", nil,
		func(ctx context.Context, c *local.Cluster, args []string, _ io.Writer) error {
			return c.KillContainer(ctx, args[0], args[1])
		}},
	{"halt-node NODE", "cut a node's power; its disk stays", nil,
		func(ctx context.Context, c *local.Cluster, args []string, _ io.Writer) error {
			return c.HaltNode(ctx, args[0])
		}},
	{"boot-node NODE", "turn it on again, and do not wait until it is ready", nil,
		func(ctx context.Context, c *local.Cluster, args []string, _ io.Writer) error {
			return c.BootNode(ctx, args[0])
		}},
}

// run carries out the action.
func (a action) run(ctx context.Context, on cluster, args []string, stdout io.Writer) error {
	if a.any != nil {
		return a.any(ctx, on, args, stdout)
	}
	machines, ok := on.(*local.Cluster)
	if !ok {
		return fmt.Errorf("%s is for a local cluster only: use CLUSTER=local", strings.Fields(a.usage)[0])
	}
	if _, err := machines.Kubeconfig(ctx); err != nil {
		return err
	}
	return a.local(ctx, machines, args, stdout)
}

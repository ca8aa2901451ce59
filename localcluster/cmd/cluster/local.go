package main

import (
	"context"
	"fmt"
	"io"

	"xbot.a4b.vn/channel-connector/localcluster/local"
)

// localCommands are what the end-to-end tests do to the machines of a local cluster,
// by the names of the commands.
var localCommands = map[string]struct {
	arguments int
	do        func(ctx context.Context, c *local.Cluster, args []string, stdout io.Writer) error
}{
	"host-address": {0, func(_ context.Context, _ *local.Cluster, _ []string, stdout io.Writer) error {
		fmt.Fprintln(stdout, local.HostAddress)
		return nil
	}},
	"renew-volumes": {0, func(ctx context.Context, c *local.Cluster, _ []string, _ io.Writer) error {
		return c.RenewVolumes(ctx)
	}},
	"stop-daemon": {2, func(ctx context.Context, c *local.Cluster, args []string, _ io.Writer) error {
		return c.StopDaemon(ctx, args[0], args[1])
	}},
	"start-daemon": {2, func(_ context.Context, c *local.Cluster, args []string, _ io.Writer) error {
		return c.StartDaemon(args[0], args[1])
	}},
	"kill-container": {2, func(ctx context.Context, c *local.Cluster, args []string, _ io.Writer) error {
		return c.KillContainer(ctx, args[0], args[1])
	}},
	"halt-node": {1, func(ctx context.Context, c *local.Cluster, args []string, _ io.Writer) error {
		return c.HaltNode(ctx, args[0])
	}},
	"boot-node": {1, func(ctx context.Context, c *local.Cluster, args []string, _ io.Writer) error {
		return c.BootNode(ctx, args[0])
	}},
}

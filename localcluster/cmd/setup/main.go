// Setup makes a machine with nothing but Go and make ready for what the Makefile
// does: root on Debian and Ubuntu gets the few missing packages installed, other
// users are told which. The Makefile runs it:
//
//	go -C localcluster run ./cmd/setup build|test|cluster|ci
//
// Where nothing is missing it does and says nothing.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"

	"xbot.a4b.vn/channel-connector/localcluster/command"
	"xbot.a4b.vn/channel-connector/localcluster/packages"
)

func main() {
	command.Main("setup", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stderr) })
}

// purposes are what a machine can be made ready for.
var purposes = map[string]func() []packages.Need{
	"build": packages.Build, "test": packages.Test, "cluster": packages.Cluster, "ci": packages.CI,
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 || purposes[args[0]] == nil {
		return fmt.Errorf("say build, test, cluster or ci, not %q", args)
	}
	if args[0] == "cluster" && (runtime.GOOS != "linux" || os.Geteuid() != 0) {
		return nil // cmd/cluster says that a local cluster needs Linux and root, and what to use instead
	}
	return packages.This(out).Install(ctx, purposes[args[0]]())
}

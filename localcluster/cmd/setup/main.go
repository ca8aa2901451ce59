// Setup makes a machine with nothing but Go and make ready for the Makefile's targets. It installs the missing packages
// for root on Debian and Ubuntu, and tells other users which they are. The Makefile runs it:
//
//	go -C localcluster run ./cmd/setup build|test|cluster|ci
//
// If nothing is missing it does and says nothing.
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

// purposes are the words that setup takes.
var purposes = map[string]func() []packages.Need{
	"build": packages.Build, "test": packages.Test, "cluster": packages.Cluster, "ci": packages.CI,
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 || purposes[args[0]] == nil {
		return fmt.Errorf("say build, test, cluster or ci, not %q", args)
	}
	if args[0] == "cluster" && (runtime.GOOS != "linux" || os.Geteuid() != 0) {
		return nil // cmd/cluster explains that, and what to use instead
	}
	return packages.This(out).Install(ctx, purposes[args[0]]())
}

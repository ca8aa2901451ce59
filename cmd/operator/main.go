// Command operator turns ChannelConnectors into running connectors.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"xbot.a4b.vn/channel-connector/cmd/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	command, err := newRoot().ExecuteContextC(ctx)
	if err != nil {
		fmt.Fprintln(command.ErrOrStderr(), "Error:", err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := newRun()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.AddCommand(newApply(), newRender(), version.NewCommand("operator"))
	return root
}

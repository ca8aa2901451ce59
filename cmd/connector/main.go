// Command connector serves chat platforms' webhooks and delivers their events.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"

	"xbot.a4b.vn/channel-connector/cmd/internal/librarylog"
	"xbot.a4b.vn/channel-connector/cmd/internal/version"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	librarylog.Redirect(logr.Discard()) // a terminal obeys what a peer sent; serve says more
	// The files of this program hold messages: only their owner may read them.
	syscall.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, newRoot()))
}

// execute runs the command that the arguments name and prints its error once.
func execute(ctx context.Context, root *cobra.Command) int {
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(root.ErrOrStderr(), "Error:", err)
	if _, failed := errors.AsType[failure](err); failed {
		return exitFailure
	}
	fmt.Fprintf(root.ErrOrStderr(), "See %q.\n", command.CommandPath()+" --help")
	return exitUsage
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "connector",
		Short: "Serve chat platforms' webhooks and deliver their events, losing none",
		// execute prints errors, and usage only where it helps.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newServe(),
		newDisplay(),
		newSend(),
		newStatus(),
		newDeadLetters(),
		newInbox(),
		version.NewCommand("connector"),
	)
	markFailures(root)
	return root
}

// failure is the error of a command whose arguments were right.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// usageError is an error that a command itself finds in its arguments.
type usageError struct{ error }

// markFailures marks the errors that commands return. Errors without the mark come from parsing the arguments.
func markFailures(command *cobra.Command) {
	if run := command.RunE; run != nil {
		command.RunE = func(command *cobra.Command, args []string) error {
			if err := refuseEmpty(command.Flags()); err != nil {
				return err
			}
			err := run(command, args)
			if _, usage := errors.AsType[usageError](err); usage || err == nil {
				return err
			}
			return failure{err}
		}
	}
	for _, sub := range command.Commands() {
		markFailures(sub)
	}
}

// newGroup is a command that only holds others.
func newGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs, // a subcommand that does not exist is an error, not a call for help
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	group.AddCommand(commands...)
	return group
}

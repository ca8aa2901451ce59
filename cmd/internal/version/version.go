// Package version tells which version of a program runs.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Linked is set by the linker. A build without it, such as by go install, still knows the module's version.
var Linked string

// NewCommand returns the command that prints the version of a program.
func NewCommand(program string) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(command.OutOrStdout(), "%s %s (%s %s/%s)\n", program, Of(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// Of returns the version of this build, "unknown" if nothing tells it.
func Of() string {
	if Linked != "" {
		return Linked
	}
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "unknown"
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"xbot.a4b.vn/channel-connector/connector/admin"
)

func newStatus() *cobra.Command {
	var api adminAPI
	output := oneOf(asTable, asJSON)
	command := &cobra.Command{
		Use:   "status",
		Short: "Show what the connector on this machine does, channel by channel",
		Args:  cobra.NoArgs,
		RunE: api.ask(func(command *cobra.Command, client *admin.Client, _ []string) error {
			status, err := client.Status(command.Context())
			if err != nil {
				return err
			}
			return writeAs(output, command.OutOrStdout(), status, writeStatus)
		}),
	}
	api.flags(command)
	outputFlag(command.Flags(), output)
	return command
}

func outputFlag(flags *pflag.FlagSet, output *choice) {
	flags.VarP(output, "output", "o", "how to print")
}

// writeAs writes v as JSON if that was chosen, and as text otherwise.
func writeAs[T any](output *choice, w io.Writer, v T, text func(io.Writer, T) error) error {
	if output.value != asJSON {
		return text(w, v)
	}
	indented := json.NewEncoder(w)
	indented.SetEscapeHTML(false)
	indented.SetIndent("", "  ")
	return indented.Encode(v)
}

func writeStatus(w io.Writer, s admin.Status) error {
	fmt.Fprintf(w, "Configuration %s, inbox %s of %s, %d calls refused without a channel (wrong path or key)\n\n",
		s.ConfigDigest, humanize.IBytes(uint64(max(s.InboxUsedBytes, 0))),
		humanize.IBytes(uint64(max(s.InboxLimitBytes, 0))), s.RefusedWithoutChannel)
	table := newTable(w)
	fmt.Fprintln(table, "CHANNEL\tSTATE\tPENDING\tOLDEST\tDEAD\tACCEPTED\tDUPLICATES\tIGNORED\tREFUSED\tAUDIT\tTAKEN\tFAILED\t"+
		"IN FLIGHT\tLAST ERROR")
	for _, c := range s.Channels {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n",
			printable(c.Name), state(c), c.Pending, age(c), c.DeadLetters, c.Accepted, c.Duplicates,
			c.Ignored, c.Refused, c.AuditFailures, c.Taken, c.FailedAttempts, c.InFlight, lastError(c))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, c := range s.Channels {
		if c.Stale > 0 {
			fmt.Fprintf(w, "\n%s: %d signed events were older than webhook.maxEventAge and were answered 503: "+
				"calls are replayed, or the clock of the connector's machine is ahead\n", printable(c.Name), c.Stale)
		}
	}
	return nil
}

// newTable aligns columns that are separated by tabs.
func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func state(c admin.ChannelStatus) string {
	switch {
	case !c.Configured:
		return "removed"
	case c.Paused:
		return "paused"
	case !c.NextProbeAt.IsZero():
		return "held" // by the sink's Retry-After
	default:
		return "active"
	}
}

func age(c admin.ChannelStatus) string {
	if c.Pending == 0 {
		return "-"
	}
	return (time.Duration(c.OldestPendingSeconds) * time.Second).String()
}

func lastError(c admin.ChannelStatus) string {
	if c.LastError == "" {
		return "-"
	}
	return timestamp(c.LastErrorAt) + " " + printable(c.LastError)
}

func timestamp(t time.Time) string { return t.Local().Format(time.DateTime) }

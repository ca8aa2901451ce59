package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"xbot.a4b.vn/channel-connector/connector/admin"
)

func newDeadLetters() *cobra.Command {
	var from letterSource
	commands := []*cobra.Command{
		from.newList(),
		from.newShow(),
		from.newChange("redrive", "Send dead letters to their sink again, at the end of their conversations",
			"Redriven", (*admin.Client).Redrive),
		from.newChange("drop", "Delete dead letters for good", "Dropped", (*admin.Client).Drop),
	}
	for _, command := range commands {
		from.flags(command)
		command.Flags().StringVar(&from.channel, "channel", "", "the channel's name; not needed where there is one channel")
	}
	return newGroup("deadletters", "Work with events that were given up", commands...)
}

// letterSource is the connector and the channel whose dead letters a command works with.
type letterSource struct {
	adminAPI
	channel string
}

func (from *letterSource) newList() *cobra.Command {
	output := oneOf(asTable, asJSON)
	command := &cobra.Command{
		Use:   "list [--channel NAME]",
		Short: "List a channel's dead letters, oldest first",
		Args:  cobra.NoArgs,
		RunE: from.ask(func(command *cobra.Command, client *admin.Client, _ []string) error {
			write := writeLettersTable
			if output.value == asJSON {
				write = writeLettersJSON
			}
			return write(command.OutOrStdout(), client.DeadLetters(command.Context(), from.channel))
		}),
	}
	outputFlag(command.Flags(), output)
	return command
}

// writeLettersTable writes nothing if the first letter is an error.
func writeLettersTable(w io.Writer, letters iter.Seq2[admin.DeadLetter, error]) error {
	table := newTable(w)
	header := "ID\tTYPE\tDIED\tATTEMPTS\tREASON\n"
	for letter, err := range letters {
		if err != nil {
			return errors.Join(table.Flush(), err)
		}
		fmt.Fprintf(table, "%s%s\t%s\t%s\t%d\t%s\n", header, letter.ID, printable(letter.Type),
			timestamp(letter.DiedAt), letter.Attempts, printable(letter.Reason))
		header = ""
	}
	fmt.Fprint(table, header)
	return table.Flush()
}

// writeLettersJSON writes one object per line.
func writeLettersJSON(w io.Writer, letters iter.Seq2[admin.DeadLetter, error]) error {
	lines := json.NewEncoder(w)
	for letter, err := range letters {
		if err == nil {
			err = lines.Encode(letter)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (from *letterSource) newShow() *cobra.Command {
	output := oneOf(asText, asJSON)
	command := &cobra.Command{
		Use:   "show [--channel NAME] ID",
		Short: "Show one dead letter with its body",
		Args:  cobra.ExactArgs(1),
		RunE: from.ask(func(command *cobra.Command, client *admin.Client, args []string) error {
			letter, err := client.DeadLetter(command.Context(), from.channel, args[0])
			if err != nil {
				return err
			}
			return writeAs(output, command.OutOrStdout(), letter, writeLetter)
		}),
	}
	outputFlag(command.Flags(), output)
	return command
}

func writeLetter(w io.Writer, l admin.Letter) error {
	table := newTable(w)
	for _, row := range [][2]string{
		{"ID", l.ID},
		{"Channel", l.Channel},
		{"Source", l.Source},
		{"Type", l.Type},
		{"Subject", l.Subject},
		{"Conversation", l.Conversation},
		{"Time", timestamp(l.Time)},
		{"Accepted", timestamp(l.AcceptedAt)},
		{"Died", timestamp(l.DiedAt)},
		{"Attempts", fmt.Sprint(l.Attempts)},
		{"Reason", l.Reason},
	} {
		fmt.Fprintf(table, "%s:\t%s\n", row[0], printable(row[1]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", printable(string(l.Body)))
	return err
}

type changeFunc func(c *admin.Client, ctx context.Context, s admin.Selection) (int, error)

func (from *letterSource) newChange(verb, short, done string, change changeFunc) *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   verb + " [--channel NAME] {ID... | --all}",
		Short: short,
		Args: func(_ *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return errors.New("name the ids of dead letters, or give --all")
			}
			return nil
		},
		RunE: from.ask(func(command *cobra.Command, client *admin.Client, ids []string) error {
			n, err := change(client, command.Context(), admin.Selection{Channel: from.channel, IDs: ids, All: all})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "%s: %d\n", done, n)
			return err
		}),
	}
	command.Flags().BoolVar(&all, "all", false, "all dead letters of the channel")
	return command
}

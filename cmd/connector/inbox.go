package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/examine"
)

func newInbox() *cobra.Command {
	return newGroup("inbox", "Examine and save a stopped connector's inbox, also a damaged one", newInboxCheck(), newInboxExport())
}

func newInboxCheck() *cobra.Command {
	var path string
	output := oneOf(asText, asJSON)
	command := &cobra.Command{
		Use:   "check --path FOLDER",
		Short: "Read the whole inbox and say what is wrong, where, and what to do",
		Long: "Read the whole inbox of a stopped connector, and verify every checksum and that all\n" +
			"records fit together. The folder is not changed. The exit code is 0 only if the\n" +
			"inbox is sound.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return checkInbox(command.Context(), path, output, command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	inboxFlag(command, &path)
	outputFlag(command.Flags(), output)
	return command
}

func inboxFlag(command *cobra.Command, path *string) {
	command.Flags().StringVar(path, "path", "", "the inbox's folder: inbox.embedded.path of the configuration")
	_ = command.MarkFlagRequired("path") // it exists
}

// inboxReport is the result of a check.
type inboxReport struct {
	Path  string `json:"path"`
	Sound bool   `json:"sound"`
	// Problems counts the findings, of which the first are listed.
	Problems int                      `json:"problems"`
	Findings []examine.Finding        `json:"findings"`
	Channels []examine.ChannelSummary `json:"channels"`
}

// maxFindings are listed; nobody reads more.
const maxFindings = 100

// add counts a finding, and reports whether it is listed.
func (r *inboxReport) add(f examine.Finding) bool {
	if r.Problems++; r.Problems > maxFindings {
		return false
	}
	r.Findings = append(r.Findings, f)
	return true
}

func checkInbox(ctx context.Context, path string, output *choice, out, messages io.Writer) error {
	report := inboxReport{Path: path, Findings: []examine.Finding{}}
	progress := newProgress(messages)
	channels, err := examine.Check(ctx, path, examine.Observer{
		Finding:  func(f examine.Finding) { report.add(f) },
		Progress: progress.show,
	})
	progress.clear()
	if err != nil {
		return err
	}
	report.Sound, report.Channels = report.Problems == 0, channels
	if err := writeAs(output, out, report, writeInboxReport); err != nil {
		return err
	}
	if !report.Sound {
		return fmt.Errorf("inbox %s is not sound, problems found: %d", path, report.Problems)
	}
	return nil
}

func writeInboxReport(w io.Writer, r inboxReport) error {
	table := newTable(w)
	fmt.Fprintln(table, "CHANNEL\tPENDING\tOLDEST\tNEWEST\tDEAD\tDEDUPLICATION KEYS")
	for _, c := range r.Channels {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%d\t%d\n", printable(c.Channel), c.Pending,
			timestampOrNone(c.OldestPending), timestampOrNone(c.NewestPending), c.DeadLetters, c.DeduplicationKeys)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if r.Sound {
		_, err := fmt.Fprintln(w, "\nThe inbox is sound.")
		return err
	}
	fmt.Fprintln(w)
	for _, f := range r.Findings {
		writeFinding(w, f)
	}
	if more := r.Problems - len(r.Findings); more > 0 {
		fmt.Fprintf(w, "and %d more problems\n", more)
	}
	return nil
}

func timestampOrNone(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return timestamp(t)
}

func writeFinding(w io.Writer, f examine.Finding) {
	fmt.Fprintf(w, "%s: %s\n  It means: %s.\n  What to do: %s.\n\n",
		printable(f.Where), printable(f.What), printable(f.Meaning), printable(f.Remedy))
}

func newInboxExport() *cobra.Command {
	var path, file string
	command := &cobra.Command{
		Use:   "export --path FOLDER [--output FILE]",
		Short: "Save every event of the inbox that can be read",
		Long: "Write every pending event and dead letter of a stopped connector's inbox, one\n" +
			"CloudEvent in JSON a line, with the call's body in data_base64, byte for byte:\n" +
			"pending events channel by channel in the order of their acceptance, then dead\n" +
			"letters. The attributes state (pending or dead), reason, attempts, acceptedat and\n" +
			"diedat say what became of an event. The folder is not changed. The exit code is 0\n" +
			"only if nothing was damaged. Otherwise the command writes every event that it can\n" +
			"read, and names what it cannot read; events that were delivered shortly before may\n" +
			"be among them.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			export := exportInbox{path: path, messages: command.ErrOrStderr()}
			if file == "" {
				warnOfReaders(command.OutOrStdout(), command.ErrOrStderr())
				return export.run(command.Context(), command.OutOrStdout())
			}
			return export.toFile(command.Context(), file)
		},
	}
	inboxFlag(command, &path)
	command.Flags().StringVar(&file, "output", "", "the file to write, for your eyes only; it must not exist yet (default: standard output)")
	return command
}

// warnOfReaders warns if stdout is a file that others can read: the shell creates it with its own umask.
func warnOfReaders(out, messages io.Writer) {
	file, ok := out.(*os.File)
	if !ok {
		return
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintln(messages, "Other users can read the file that you redirect to: --output FILE makes one that only you can read")
	}
}

// exportInbox writes an inbox's events.
type exportInbox struct {
	path     string
	messages io.Writer
}

func (e exportInbox) toFile(ctx context.Context, name string) error {
	// Events are personal data: no other user may read them.
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	err = errors.Join(e.run(ctx, file), file.Sync())
	if info, unknown := file.Stat(); err != nil && unknown == nil && info.Size() == 0 {
		err = errors.Join(err, os.Remove(name)) // it would be in the way of the next run
	}
	return errors.Join(err, file.Close())
}

func (e exportInbox) run(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	progress := newProgress(e.messages)
	var report inboxReport
	channels, err := examine.Export(ctx, e.path, examine.Observer{
		Finding: func(f examine.Finding) {
			progress.clear()
			if report.add(f) {
				writeFinding(e.messages, f)
			}
		},
		Progress: progress.show,
	}, func(event examine.Exported) error { return writeLine(out, exportedMembers(event)) })
	progress.clear()
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	var pending, dead int64
	for _, c := range channels {
		pending, dead = pending+c.Pending, dead+c.DeadLetters
	}
	fmt.Fprintf(e.messages, "Exported %d pending events and %d dead letters of %d channels\n", pending, dead, len(channels))
	if report.Problems > 0 {
		return fmt.Errorf("inbox %s is damaged: everything readable is exported, problems found: %d", e.path, report.Problems)
	}
	return nil
}

// exportedMembers returns an event in the JSON format of CloudEvents, with extension attributes for its state.
func exportedMembers(e examine.Exported) map[string]any {
	members := map[string]any{
		specVersion: "1.0", "id": e.Event.ID.String(),
		"time": e.Event.Time.UTC().Format(time.RFC3339Nano), "data_base64": e.Event.Body,
		"state": "pending", "attempts": e.Attempts, "acceptedat": e.AcceptedAt.UTC().Format(time.RFC3339Nano),
	}
	if e.Dead {
		members["state"], members["diedat"] = "dead", e.DiedAt.UTC().Format(time.RFC3339Nano)
	}
	for name, value := range map[string]string{
		"source": e.Event.Source, eventType: e.Event.Type, "subject": e.Event.Subject,
		"partitionkey": e.Event.Conversation, "datacontenttype": e.Event.ContentType, "channel": e.Event.Channel, "reason": e.Reason,
	} {
		if value != "" { // CloudEvents knows no empty attribute
			members[name] = value
		}
	}
	return members
}

// progress shows on a terminal that a large inbox is being read.
type progress struct {
	out   io.Writer // nil unless a person watches
	next  time.Time
	shown bool
}

func newProgress(messages io.Writer) *progress {
	if !isTerminal(messages) {
		return &progress{}
	}
	return &progress{out: messages}
}

func (p *progress) show(records int) {
	if p.out == nil || time.Now().Before(p.next) {
		return
	}
	p.next, p.shown = time.Now().Add(200*time.Millisecond), true
	fmt.Fprintf(p.out, "\r%s records read", humanize.Comma(int64(records)))
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

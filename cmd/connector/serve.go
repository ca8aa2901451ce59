package main

import (
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"

	"xbot.a4b.vn/channel-connector/cmd/internal/librarylog"
	"xbot.a4b.vn/channel-connector/connector"
)

func newServe() *cobra.Command {
	var path string
	format := oneOf("auto", asText, asJSON)
	command := &cobra.Command{
		Use:   "serve --config PATH",
		Short: "Accept webhook calls and deliver their events until SIGTERM or Ctrl-C",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			level := &slog.LevelVar{}
			log := newLogger(command.ErrOrStderr(), format.value, level)
			librarylog.Redirect(log)
			return connector.Run(command.Context(), log, level, path)
		},
	}
	flags := command.Flags()
	flags.StringVar(&path, "config", "", "the configuration file; it is watched, and changes are applied")
	flags.Var(format, "log-format", "how to write logs; auto is text on a terminal and JSON elsewhere")
	_ = command.MarkFlagRequired("config") // it exists
	return command
}

// newLogger logs to w from the current level on.
func newLogger(w io.Writer, format string, level slog.Leveler) logr.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == asText || (format == "auto" && isTerminal(w)) {
		return logr.FromSlogHandler(slog.NewTextHandler(w, options))
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(w, options))
}

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
	level := oneOf("info", "debug", "warn", "error")
	command := &cobra.Command{
		Use:   "serve --config PATH",
		Short: "Accept webhook calls and deliver their events until SIGTERM or Ctrl-C",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			log := newLogger(command.ErrOrStderr(), format.value, level.value)
			librarylog.Redirect(log)
			return connector.Run(command.Context(), log, path)
		},
	}
	flags := command.Flags()
	flags.StringVar(&path, "config", "", "the configuration file; it is watched, and changes are applied")
	flags.Var(format, "log-format", "how to write logs; auto is text on a terminal and JSON elsewhere")
	flags.Var(level, "log-level", "the least important log to write")
	_ = command.MarkFlagRequired("config") // it exists
	return command
}

// newLogger logs to w. The level is one of slog's names.
func newLogger(w io.Writer, format, level string) logr.Logger {
	var threshold slog.Level
	_ = threshold.UnmarshalText([]byte(level)) // the flag allows known names only
	options := &slog.HandlerOptions{Level: threshold}
	if format == asText || (format == "auto" && isTerminal(w)) {
		return logr.FromSlogHandler(slog.NewTextHandler(w, options))
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(w, options))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

const (
	// maxDisplayBody is far above what the connector delivers.
	maxDisplayBody = 64 << 20
	// displayGrace is how long calls under way may take to end.
	displayGrace = 5 * time.Second
)

func newDisplay() *cobra.Command {
	var address string
	format := oneOf("auto", asText, asJSON)
	command := &cobra.Command{
		Use:   "display",
		Short: "Be a sink that prints each event, for demos and debugging",
		Long: "Serve a sink that takes every CloudEvent (204) and prints it. On a terminal it\n" +
			"prints coloured text (NO_COLOR is honoured), elsewhere one CloudEvent in JSON per\n" +
			"line.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			out := command.OutOrStdout()
			show := printJSON
			if format.value == asText || (format.value == "auto" && isTerminal(out)) {
				show = printText
			}
			return serveDisplay(command.Context(), address, &display{out: out, print: show}, command.ErrOrStderr())
		},
	}
	command.Flags().StringVar(&address, "address", "127.0.0.1:8090", "the host and port to listen on")
	command.Flags().Var(format, "format", "how to print; auto is text on a terminal and JSON elsewhere")
	return command
}

func serveDisplay(ctx context.Context, address string, d *display, messages io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("cannot listen on the address: %w", err)
	}
	server := &http.Server{Handler: d, ReadHeaderTimeout: displayGrace}
	fmt.Fprintf(messages, "Waiting for events at http://%s (Ctrl-C ends)\n", listener.Addr())

	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), displayGrace)
		defer cancel()
		ended <- server.Shutdown(grace)
	})
	err = server.Serve(listener)
	if !stop() { // the context has ended
		return <-ended
	}
	return err
}

// display takes CloudEvents in binary mode and prints them.
type display struct {
	mu    sync.Mutex
	out   io.Writer
	print func(w io.Writer, e receivedEvent) error
}

// ServeHTTP takes one event.
func (d *display) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "post a CloudEvent in binary mode", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDisplayBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		return // the caller has gone
	}
	e, err := receive(r.Header, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := d.show(e); err != nil {
		http.Error(w, "the event cannot be printed", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (d *display) show(e receivedEvent) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.print(d.out, e)
}

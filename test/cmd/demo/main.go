// Demo shows the connector at work on one machine; `make run` builds the
// connector and runs it. It makes an example configuration in a temporary folder,
// starts a sink and the connector on loopback, sends xBot's published example
// and a signed event, and shows both arriving. Then it serves until Ctrl-C, or
// with -once ends: with exit code 0 only if both events came out at the sink.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/example"
)

// signedText is what to look for at the sink; the example has an id for that.
const signedText = "Signed hello from connector send"

// ownEvent is for the curl line.
const ownEvent = `{"event_name":"user_send_text","app_id":"` + example.AppID + `","sender":{"id":"1"},"recipient":{"id":"2"},` +
	`"message":{"text":"Hello","msg_id":"1"}}`

// arrival is how long events may take from the webhook to the sink.
const arrival = 20 * time.Second

func main() {
	binary := flag.String("connector", "bin/connector", "the connector's binary, which `make build` makes")
	once := flag.Bool("once", false, "end after the demo")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, *binary, *once)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, once bool) (err error) {
	s, err := prepare(binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.show(ctx); err != nil {
		return fmt.Errorf("%w\n\nthe connector's log:\n%s", err, s.log())
	}
	if once {
		fmt.Println("\nBoth events went in over HTTP, were stored durably, and came out at the sink.")
		return nil
	}
	s.explain()
	return s.serve(ctx)
}

// show sends both events and waits until the sink has printed them.
func (s *stage) show(ctx context.Context) error {
	title("xBot's published example, byte for byte and unsigned")
	if err := s.postExample(ctx); err != nil {
		return err
	}
	if err := s.waitSink(ctx, example.MessageID); err != nil {
		return err
	}
	title("An event that connector send signs as Zalo does")
	if err := s.sendSigned(ctx); err != nil {
		return err
	}
	return s.waitSink(ctx, signedText)
}

func (s *stage) waitSink(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	arrived := func(context.Context) bool { return strings.Contains(s.shown.String(), text) }
	return s.sink.Wait(ctx, fmt.Sprintf("%q at the sink", text), arrived)
}

// explain says what to try while the connector goes on serving.
func (s *stage) explain() {
	title("Now you")
	fmt.Printf(`Post an event of your own; it appears here:

  curl -sS '%[1]s' -d '%[2]s'

The same again is a duplicate: 200, but nothing arrives. Change msg_id.
Look inside:

  %[3]s status --config %[4]s
  %[3]s deadletters list --config %[4]s
  curl -s http://%[5]s/metrics

Edit the configuration; it is applied without a restart:

  %[4]s

Ctrl-C ends everything and removes the configuration and the inbox.
`, s.consoleURL(), ownEvent, s.binary, s.configPath(), s.addresses.Metrics)
}

// serve waits for Ctrl-C.
func (s *stage) serve(ctx context.Context) error {
	select {
	case <-ctx.Done():
		fmt.Println("\nStopping.")
		return nil
	case <-s.connector.Done():
		return fmt.Errorf("the connector ended by itself; its log:\n%s", s.log())
	case <-s.sink.Done():
		return errors.New("the sink ended by itself")
	}
}

func title(text string) { fmt.Printf("\n--- %s\n\n", text) }

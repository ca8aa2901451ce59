package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/test/example"
)

func (q *quickstart) deploySink(ctx context.Context) error {
	if err := q.apply(ctx, "sink.yaml", map[string]string{"Image": q.connectorImage()}); err != nil {
		return err
	}
	return q.run(ctx, kubectl("rollout", "status", sink, timeout))
}

// makeChannel leaves Secrets alone that are there: the keys in them may have been
// rotated by hand.
func (q *quickstart) makeChannel(ctx context.Context) error {
	present, err := output(ctx, kubectl("get", "secrets", "--output=name"))
	if err != nil {
		return err
	}
	if !strings.Contains(present, "secret/shop-zalo") || !strings.Contains(present, "secret/shop-xbot") {
		keys := map[string]string{"OASecretKey": example.Key(16), "APIKey": example.Key(32)}
		if err := q.apply(ctx, "secrets.yaml", keys); err != nil {
			return err
		}
	}
	if err := q.apply(ctx, "channel.yaml", map[string]string{"AppID": example.AppID}); err != nil {
		return err
	}
	return q.run(ctx, kubectl("wait", "--for=condition=Ready", channel, timeout))
}

// send lets a Job send the event, because it sees the Service as Zalo's calls do
// after an Ingress.
func (q *quickstart) send(ctx context.Context) error {
	address, err := output(ctx, kubectl("get", channel, "--output=jsonpath={.status.address.url}"))
	if err != nil {
		return err
	}
	err = q.apply(ctx, "send.yaml", map[string]string{
		"Message": q.message,
		"Image":   q.connectorImage(),
		"URL":     address + config.DefaultPathZaloOA,
		"Event":   string(example.EventWithID(q.message)),
	})
	if err != nil {
		return err
	}
	if err := until(ctx, "the end of "+q.job(), q.sent); err != nil {
		return err
	}
	return q.run(ctx, kubectl("logs", q.job()))
}

// job has another name in every run, because a Job cannot be run again.
func (q *quickstart) job() string { return "job/send-" + q.message }

func (q *quickstart) sent(ctx context.Context) (bool, error) {
	conditions, err := output(ctx, kubectl("get", q.job(), "--output=jsonpath={.status.conditions[*].type}"))
	if err != nil {
		return false, err
	}
	if strings.Contains(conditions, "Failed") {
		return false, fmt.Errorf("the event was not accepted: see the log of %s", q.job())
	}
	return strings.Contains(conditions, "Complete"), nil
}

// showDelivered shows what the sink got.
func (q *quickstart) showDelivered(ctx context.Context) error {
	var delivered string
	err := until(ctx, "the event at the sink", func(ctx context.Context) (bool, error) {
		log, err := output(ctx, kubectl("logs", sink))
		delivered = lineWith(log, q.message)
		return delivered != "", err
	})
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, []byte(delivered), "", "  "); err != nil {
		return fmt.Errorf("the sink printed no CloudEvent but %q", delivered)
	}
	fmt.Fprintf(q.out, "%s\n", &text)
	return nil
}

// lineWith returns the first line that holds what, or nothing.
func lineWith(text, what string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, what) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

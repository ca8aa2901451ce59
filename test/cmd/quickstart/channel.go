package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"xbot.a4b.vn/channel-connector/test/kit/example"
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
	if !strings.Contains(present, "secret/shop-xbot") {
		if err := q.apply(ctx, "api-key.yaml", map[string]string{"APIKey": example.Key(32)}); err != nil {
			return err
		}
	}
	if err := q.apply(ctx, "channel.yaml", map[string]string{"AppID": example.AppID}); err != nil {
		return err
	}
	q.awaiting = !strings.Contains(present, "secret/shop-zalo")
	if !q.awaiting {
		fmt.Fprintln(q.out, "The OA secret key is there since an earlier run.")
		return q.run(ctx, kubectl("wait", "--for=condition=Ready", channel, timeout))
	}
	return q.awaitConnector(ctx)
}

// awaitConnector waits until the connector serves without the OA secret key, and shows
// what the resource says then.
func (q *quickstart) awaitConnector(ctx context.Context) error {
	if err := q.run(ctx, kubectl("wait", "--for=condition=WorkloadAvailable", channel, timeout)); err != nil {
		return err
	}
	const resolved = `{range .status.conditions[?(@.type=="CredentialsResolved")]}{.type}={.status} {.reason}: {.message}{end}`
	var says string
	err := until(ctx, "that the channel awaits its OA secret key", func(ctx context.Context) (held bool, err error) {
		says, err = output(ctx, kubectl("get", channel, "--output=jsonpath="+resolved))
		return strings.HasPrefix(says, "CredentialsResolved=False AwaitingOASecretKey: "), err
	})
	if err != nil {
		return fmt.Errorf("%w; it says %q", err, says)
	}
	fmt.Fprintf(q.out, "\nIts condition, which kubectl describe %s shows:\n\n  %s\n", channel, says)
	return nil
}

// saveURL does what Zalo's console does when somebody pastes the webhook's URL into
// it. An event that comes before the key is refused, so that Zalo sends it again.
func (q *quickstart) saveURL(ctx context.Context) error {
	return q.calling(ctx, func(p platform) error {
		if err := p.expect(ctx, 200, probe); err != nil {
			return err
		}
		if err := p.expect(ctx, 200, check); err != nil || !q.awaiting {
			return err
		}
		q.oaSecretKey = example.Key(16)
		fmt.Fprintf(q.out, "\nAn event that comes now cannot be verified yet:\n")
		return p.expect(ctx, 503, signed(q.message, q.oaSecretKey))
	})
}

// receive makes the Secret that is awaited, if any, and sends the event until it is
// accepted, as Zalo does.
func (q *quickstart) receive(ctx context.Context) error {
	err := q.calling(ctx, func(p platform) (err error) {
		if !q.awaiting {
			q.oaSecretKey, err = secret(ctx, "shop-zalo", "oa-secret-key")
		} else {
			err = q.apply(ctx, "oa-secret-key.yaml", map[string]string{"OASecretKey": q.oaSecretKey})
		}
		if err != nil {
			return err
		}
		return p.insist(ctx, signed(q.message, q.oaSecretKey))
	})
	if err != nil {
		return err
	}
	return q.run(ctx, kubectl("wait", "--for=condition=Ready", channel, timeout))
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

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/transcript"
)

// answerTime bounds a call. Zalo itself waits for 2 s; the machine may be busy.
const answerTime = 20 * time.Second

// keyParameter is where Zalo's calls have the API key.
const keyParameter = "param.header.xp-api-key"

// call is one of Zalo's.
type call struct {
	method, body, signature string
	// what tells people of the body.
	what string
}

// What Zalo's console asks of a URL.
var (
	probe = call{method: http.MethodPost, body: "{}", what: "with {}, unsigned"}
	check = call{method: http.MethodGet}
)

// signed is the example event with another message id.
func signed(message, secret string) call {
	event := example.EventWithID(message)
	return call{
		method: http.MethodPost, body: string(event), what: "with xBot's example event, signed",
		signature: zalo.Sign(example.AppID, event, example.Timestamp, secret),
	}
}

// platform is Zalo, which knows the channel's URL with its API key.
type platform struct {
	out io.Writer
	// shown is the webhook's URL in the cluster, forwarded the one that leads to it
	// from here.
	shown, forwarded string
	apiKey           string
}

// expect makes a call, shows it with its answer, and fails where that is another one.
func (p platform) expect(ctx context.Context, status int, c call) error {
	p.show(c)
	got, err := p.do(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "    %s\n", got)
	if got.status != status {
		return fmt.Errorf("the connector answered %d, want %d", got.status, status)
	}
	return nil
}

// insist makes the same call until it is accepted. 503 asks for no more than that.
func (p platform) insist(ctx context.Context, c call) error {
	begun, unavailable := time.Now(), 0
	p.show(c)
	err := until(ctx, "that the event is accepted", func(ctx context.Context) (bool, error) {
		got, err := p.do(ctx, c)
		switch {
		case err != nil:
			return false, err
		case got.status == http.StatusServiceUnavailable:
			unavailable++
			return false, nil
		case got.status != http.StatusOK:
			return false, fmt.Errorf("the connector answered %s", got)
		}
		fmt.Fprintf(p.out, "    %s\n\nAccepted after %.1f s. Calls answered 503 before that: %d.\n",
			got, time.Since(begun).Seconds(), unavailable)
		return true, nil
	})
	return err
}

func (p platform) show(c call) {
	fmt.Fprintf(p.out, "%s\n", strings.TrimSpace(fmt.Sprintf("%s %s?%s=<API key> %s", c.method, p.shown, keyParameter, c.what)))
}

// answer is what the connector says to a call.
type answer struct {
	status           int
	retryAfter, body string
}

func (a answer) String() string {
	text := fmt.Sprintf("%d %s", a.status, a.body)
	if a.retryAfter != "" {
		text += " (Retry-After: " + a.retryAfter + ")"
	}
	return text
}

func (p platform) do(ctx context.Context, c call) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	target := p.forwarded + "?" + url.Values{keyParameter: {p.apiKey}}.Encode()
	req, err := http.NewRequestWithContext(ctx, c.method, target, strings.NewReader(c.body))
	if err != nil {
		return answer{}, errors.New("the channel's URL is none") // err quotes it with the API key
	}
	req.Header.Set("Content-Type", "application/json")
	if c.signature != "" {
		req.Header.Set(zalo.SignatureHeader, c.signature)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer{}, fmt.Errorf("no answer from the connector: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // an answer is a line
	return answer{resp.StatusCode, resp.Header.Get("Retry-After"), strings.TrimSpace(string(body))}, err
}

// forwarding is what kubectl says once it forwards.
var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+) -> `)

// calling lets Zalo call the channel from here. Its Service has an address in the
// cluster alone, as it does behind an Ingress.
func (q *quickstart) calling(ctx context.Context, do func(platform) error) error {
	address, err := output(ctx, kubectl("get", channel, "--output=jsonpath={.status.address.url}"))
	if err != nil {
		return err
	}
	apiKey, err := secret(ctx, "shop-xbot", "xp-api-key")
	if err != nil {
		return err
	}
	forward := kubectl("port-forward", service, ":http")
	fmt.Fprintf(q.out, "$ %s\n\n", forward)
	var said transcript.Transcript
	cmd := forward.command(ctx)
	cmd.Stdout, cmd.Stderr = &said, os.Stderr
	forwarder, err := process.Start(cmd)
	if err != nil {
		return err
	}
	defer forwarder.Kill()
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun := func(context.Context) bool { return forwarding.MatchString(said.String()) }
	if err := forwarder.Wait(ready, "the way to the connector", begun); err != nil {
		return err
	}
	return do(platform{
		out: q.out, apiKey: apiKey, shown: address + config.DefaultPathZaloOA,
		forwarded: "http://" + forwarding.FindStringSubmatch(said.String())[1] + config.DefaultPathZaloOA,
	})
}

// secret reads a key of a Secret. Its value is never shown.
func secret(ctx context.Context, name, key string) (string, error) {
	encoded, err := output(ctx, kubectl("get", "secret", name, "--output=jsonpath={.data."+key+"}"))
	if err != nil {
		return "", err
	}
	value, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("the key %s of the Secret %s is not in base64", key, name)
	}
	return strings.TrimSpace(string(value)), nil
}

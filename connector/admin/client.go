package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
)

// Client calls the API of a connector on this machine.
type Client struct {
	address string
	http    http.Client
}

// NewClient returns a client of the API at address: the absolute path of a socket, or a host and port.
func NewClient(address string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network(address), address)
	}
	// A command makes one call: no proxy stands before this machine, and no connection need outlive the call.
	return &Client{address, http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status describes the connector.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, pathStatus, nil)
}

// DeadLetters yields a channel's dead letters, oldest first, while they arrive. A yielded error ends the sequence.
func (c *Client) DeadLetters(ctx context.Context, channel string) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		body, err := c.do(ctx, http.MethodGet, pathList+"?"+url.Values{"channel": {channel}}.Encode(), nil)
		if err != nil {
			yield(DeadLetter{}, err)
			return
		}
		defer func() { _ = body.Close() }()
		for lines := json.NewDecoder(body); ; {
			letter, err := readLine(lines)
			if errors.Is(err, io.EOF) || !yield(letter, err) || err != nil {
				return
			}
		}
	}
}

// readLine returns io.EOF after the last line.
func readLine(lines *json.Decoder) (letter DeadLetter, err error) {
	line := listLine{DeadLetter: &letter}
	switch err := lines.Decode(&line); {
	case errors.Is(err, io.EOF):
		return letter, io.EOF
	case err != nil:
		return letter, fmt.Errorf("the list ended early: %w", err)
	case line.Error != "":
		return letter, errors.New(line.Error)
	}
	return letter, nil
}

// DeadLetter returns one dead letter with its event.
func (c *Client) DeadLetter(ctx context.Context, channel, id string) (Letter, error) {
	query := url.Values{"channel": {channel}, "id": {id}}.Encode()
	return call[Letter](ctx, c, http.MethodGet, pathShow+"?"+query, nil)
}

// Redrive sends the selected dead letters to their sink again and returns how many there were. The error of a call that
// did only a part says how many.
func (c *Client) Redrive(ctx context.Context, s Selection) (int, error) {
	answered, err := call[changed](ctx, c, http.MethodPost, pathRedrive, s)
	return answered.Count, err
}

// Drop deletes the selected dead letters for good and returns as Redrive does.
func (c *Client) Drop(ctx context.Context, s Selection) (int, error) {
	answered, err := call[changed](ctx, c, http.MethodPost, pathDrop, s)
	return answered.Count, err
}

func call[T any](ctx context.Context, c *Client, method, path string, request any) (answered T, err error) {
	body, err := c.do(ctx, method, path, request)
	if err != nil {
		return answered, err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(body).Decode(&answered); err != nil {
		return answered, fmt.Errorf("what answers at %s is no connector: %w", c.address, err)
	}
	return answered, nil
}

// do returns the body of a successful answer.
func (c *Client) do(ctx context.Context, method, path string, request any) (io.ReadCloser, error) {
	var content bytes.Buffer
	if request != nil {
		if err := json.NewEncoder(&content).Encode(request); err != nil {
			return nil, err
		}
	}
	host := c.address
	if network(host) == unixSocket {
		host = "localhost" // a socket has no name
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, &content)
	if err != nil {
		return nil, fmt.Errorf("admin address %q: %w", c.address, err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var refused failure
	if json.NewDecoder(resp.Body).Decode(&refused) != nil || refused.Error == "" {
		return nil, fmt.Errorf("what answers at %s is no connector: HTTP %d", c.address, resp.StatusCode)
	}
	return nil, errors.New(refused.Error)
}

// explain says what to do if nothing listens.
func (c *Client) explain(err error) error {
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return unreachable(c.address, dial.Err)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

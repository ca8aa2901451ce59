// Package httpsink posts each event to a URL as a CloudEvent in binary mode: the body is the platform's, byte for byte,
// and the attributes are headers, so that any HTTP service can read it.
package httpsink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/sink/each"
)

const (
	// drainBytes and drainTime bound the reading of an answer's body. A body that is read to its end leaves the
	// connection to the next event; a longer or slower body costs more than a new connection.
	drainBytes = 64 << 10
	drainTime  = time.Second
)

// Sink is one channel's URL with its own connections.
type Sink struct {
	url     string
	timeout time.Duration
	// peer names the far end in messages: the hosts of the URL and of the proxy.
	peer string
	// unreachable, if set, is why no attempt is made at all.
	unreachable error
	transport   *http.Transport
	dialer      *dialer
	header      http.Header
	signer      *standardwebhooks.Webhook
	now         func() time.Time
}

var _ each.Sender = (*Sink)(nil)

// New builds the sink of a section in which Check has found no problem. Up to Concurrency connections are kept for
// reuse. The clock is read for signatures and Retry-After dates. The error says that the signing secret is no base64,
// or which variable of the environment names no usable proxy, and quotes neither.
func New(c Settings, e sink.Environment, now func() time.Time) (*Sink, error) {
	target, err := url.Parse(c.Target())
	if err != nil {
		return nil, errors.New("sink url cannot be parsed") // err quotes it
	}
	signer, err := newSigner(c.SigningSecret)
	if err != nil {
		return nil, err
	}
	proxy, err := chooseProxy(c.Proxy, target)
	if err != nil {
		return nil, err
	}
	d := newDialer(time.Duration(c.Timeout), e.Places)
	s := &Sink{
		url: c.Target(), timeout: d.timeout, peer: target.Host,
		transport: newTransport(c, e.Concurrency, d, proxy), dialer: d,
		header: templateHeader(c.Headers), signer: signer, now: now,
	}
	if proxy != nil {
		s.peer = fmt.Sprintf("%s through proxy %s", target.Host, proxy.Host)
	}
	if c.LocalAddresses == LocalRefuse {
		s.refuseLocal(d, c, target, proxy)
	}
	e.Places.Join(s.transport)
	return s, nil
}

// Close closes idle connections; those of sends under way close when they end.
func (s *Sink) Close() {
	s.dialer.places.Leave(s.transport)
	s.transport.CloseIdleConnections()
}

// errTimeout tells the attempt's own limit from the end of the caller's context.
var errTimeout = errors.New("attempt timed out")

// Send posts e once. The transport may repeat a post whose reused connection turned out to be closed: consumers
// recognise the event by its id.
func (s *Sink) Send(ctx context.Context, e event.Event) error {
	if s.unreachable != nil {
		return s.failure(ctx, s.unreachable)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errTimeout)
	defer cancel()
	a := &attempt{header: s.eventHeader(e)}
	defer a.end()
	req, err := s.request(ctx, e, a)
	if err != nil {
		return &sink.Failed{Class: classProtocol, Reason: "the sink's URL cannot be requested"}
	}
	// RoundTrip follows no redirect, as http.Client would: the event must be posted to the configured URL alone.
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return s.failure(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	drain(resp, cancel)
	return judge(resp, s.now())
}

func (s *Sink) request(ctx context.Context, e event.Event, a *attempt) (*http.Request, error) {
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { a.begin(ctx, got.Conn) },
	})
	req, err := http.NewRequestWithContext(traced, http.MethodPost, s.url, bytes.NewReader(e.Body))
	if err != nil {
		return nil, err
	}
	req.Header = a.header
	if s.signer == nil {
		return req, nil
	}
	return req, s.sign(req.Header, e)
}

// drain reads the rest of an answer, within bounds. Its errors do not matter: the status line has decided.
//
// The body of "101 Switching Protocols" is the connection itself. It is not read, because such a read waits for the
// sink even after the end of the request.
func drain(resp *http.Response, cancel context.CancelFunc) {
	if resp.Body == http.NoBody || resp.StatusCode < http.StatusOK {
		return
	}
	limit := time.AfterFunc(drainTime, cancel)
	defer limit.Stop()
	_, _ = io.CopyN(io.Discard, resp.Body, drainBytes)
}

package httpsink

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	// idleTimeout closes connections that no event needed for a while.
	idleTimeout = 90 * time.Second
	// maxAnswerHeader bounds the memory that a sink's answer can take.
	maxAnswerHeader = 64 << 10
)

// newTransport returns the sink's own connections. They use HTTP/1.1 only: with one attempt per connection, a hanging
// connection holds up one conversation and not all of them.
func newTransport(c Settings, concurrency int, d *dialer, proxy *url.URL) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	t := &http.Transport{
		DialContext:            d.dial,
		TLSHandshakeTimeout:    d.timeout,
		TLSClientConfig:        c.TLS.Client(),
		Protocols:              protocols,
		MaxIdleConnsPerHost:    concurrency,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true,
		OnProxyConnectResponse: judgeProxy,
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return t
}

// judgeProxy keeps the status: the transport's own error keeps only its text.
func judgeProxy(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &ownError{"proxy", fmt.Sprintf("proxy %s refused the connection: HTTP %d", proxy.Host, resp.StatusCode)}
	}
	return nil
}

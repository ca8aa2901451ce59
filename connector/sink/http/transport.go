package httpsink

import (
	"net"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
)

const (
	// idleTimeout closes connections that no event needed for a while.
	idleTimeout = 90 * time.Second
	// maxAnswerHeader bounds the memory that a sink's answer can take.
	maxAnswerHeader = 64 << 10
)

// newTransport returns the sink's own connections. HTTP/1.1 only: with one
// attempt per connection, a connection that hangs holds up one conversation and
// not all of them.
//
// The proxy variables of the environment are respected. They are how a cluster
// routes what leaves it, NO_PROXY is how it exempts what stays inside, and
// loopback never takes a proxy.
func newTransport(c config.HTTPSink, concurrency int) *http.Transport {
	timeout := time.Duration(c.Timeout)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout:    timeout,
		TLSClientConfig:        c.TLS.Client(),
		Protocols:              protocols,
		MaxIdleConnsPerHost:    concurrency,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true,
	}
}

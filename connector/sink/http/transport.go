package httpsink

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
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
func newTransport(c config.HTTPSink, concurrency int) (*http.Transport, error) {
	tlsConfig, err := clientTLS(c.TLS)
	if err != nil {
		return nil, err
	}
	timeout := time.Duration(c.Timeout)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout:    timeout,
		TLSClientConfig:        tlsConfig,
		Protocols:              protocols,
		MaxIdleConnsPerHost:    concurrency,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true,
	}, nil
}

func clientTLS(c *config.SinkTLS) (*tls.Config, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if c == nil {
		return tlsConfig, nil
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("sink tls.caFile: %w", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("sink tls.caFile %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("sink tls.certFile and tls.keyFile: %w", err)
		}
		tlsConfig.Certificates = []tls.Certificate{pair}
	}
	return tlsConfig, nil
}

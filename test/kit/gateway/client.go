package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
)

// Client calls every https URL at a proxy's address, as if DNS led there, and trusts a certificate alone. It makes each
// call on a connection of its own.
func Client(address, certificate string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: Dial(address), TLSClientConfig: Trust(certificate), ForceAttemptHTTP2: true, DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Dial returns a dialer that knows one address.
func Dial(address string) func(ctx context.Context, network, _ string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// Trust is a client's side of TLS that trusts a certificate in PEM.
func Trust(certificate string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(certificate))
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

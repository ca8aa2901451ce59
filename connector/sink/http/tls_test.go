package httpsink

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// tlsSink is an https server with its certificate and key as files.
type tlsSink struct {
	*httptest.Server
	certFile, keyFile string
	// client is the certificate that the last caller showed.
	client *x509.Certificate
}

func listenTLS(t *testing.T, clientAuth tls.ClientAuthType, change ...func(*http.Server)) *tlsSink {
	t.Helper()
	s := &tlsSink{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			s.client = r.TLS.PeerCertificates[0]
		}
	}))
	s.TLS = &tls.Config{ClientAuth: clientAuth}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the handshakes that fail are the test
	for _, f := range change {
		f(s.Config)
	}
	s.StartTLS()
	t.Cleanup(s.Close)

	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s.certFile = writePEM(t, "CERTIFICATE", s.Certificate().Raw)
	s.keyFile = writePEM(t, "PRIVATE KEY", key)
	return s
}

func writePEM(t *testing.T, kind string, der []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// other is the section of a channel and an inbox of no matter which type.
type other struct{}

func (*other) Check(*config.Checker) {}

// load returns the sink of a configuration file, with its TLS files loaded.
func load(t *testing.T, url, tlsFields string) Settings {
	t.Helper()
	path := filepath.Join(t.TempDir(), "connector.yaml")
	text := fmt.Sprintf(`apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
channels:
- name: shop
  type: Other
  other: {}
  webhook: {apiKeys: [{name: a, value: 0123456789abcdef0123456789abcdef}]}
  sink: {http: {url: %q, tls: {%s}}}
`, url, tlsFields)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	others := []config.Type{{Name: "Other", New: func() config.Section { return &other{} }, DefaultPath: "/other"}}
	c, err := config.Load(path, config.Types{Channels: others, Inboxes: others, Sinks: []config.Type{Type}})
	if err != nil {
		t.Fatal(err)
	}
	return *c.Channels[0].Sink.Settings.(*Settings)
}

func TestSendOverTLS(t *testing.T) {
	server := listenTLS(t, tls.NoClientCert)
	trusted := "caFile: " + server.certFile
	plain := listen(t, func(http.ResponseWriter, *http.Request) {})
	tests := map[string]struct {
		c     Settings
		class string
	}{
		"trusted":           {load(t, server.URL, trusted), ""},
		"unknown authority": {Settings{URL: server.URL}, "tls"},
		"another name": {
			load(t, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), trusted), "tls",
		},
		"the port speaks no TLS": {
			load(t, strings.Replace(plain.URL, "http:", "https:", 1), trusted), "tls",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expectClass(t, newSink(t, tt.c).Send(t.Context(), exampleEvent(t)), tt.class)
		})
	}
}

func TestSendShowsItsClientCertificate(t *testing.T) {
	server := listenTLS(t, tls.RequireAnyClientCert)
	without := load(t, server.URL, "caFile: "+server.certFile)
	expectClass(t, newSink(t, without).Send(t.Context(), exampleEvent(t)), "tls")

	with := load(t, server.URL, fmt.Sprintf("caFile: %[1]s, certFile: %[1]s, keyFile: %s", server.certFile, server.keyFile))
	expectClass(t, newSink(t, with).Send(t.Context(), exampleEvent(t)), "")
	if server.client == nil || !bytes.Equal(server.client.Raw, server.Certificate().Raw) {
		t.Error("the sink saw another client certificate, or none")
	}
}

package httpsink

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
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

func listenTLS(t *testing.T, clientAuth tls.ClientAuthType) *tlsSink {
	t.Helper()
	s := &tlsSink{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			s.client = r.TLS.PeerCertificates[0]
		}
	}))
	s.TLS = &tls.Config{ClientAuth: clientAuth}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes that fail are the test
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

func TestSendOverTLS(t *testing.T) {
	server := listenTLS(t, tls.NoClientCert)
	trusted := &config.SinkTLS{CAFile: server.certFile}
	plain := listen(t, func(http.ResponseWriter, *http.Request) {})
	tests := map[string]struct {
		c     config.HTTPSink
		class string
	}{
		"trusted":           {config.HTTPSink{URL: server.URL, TLS: trusted}, ""},
		"unknown authority": {config.HTTPSink{URL: server.URL}, "tls"},
		"another name": {
			config.HTTPSink{URL: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), TLS: trusted}, "tls",
		},
		"the port speaks no TLS": {
			config.HTTPSink{URL: strings.Replace(plain.URL, "http:", "https:", 1), TLS: trusted}, "tls",
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
	c := config.HTTPSink{URL: server.URL, TLS: &config.SinkTLS{CAFile: server.certFile}}
	expectClass(t, newSink(t, c).Send(t.Context(), exampleEvent(t)), "tls")

	c.TLS.CertFile, c.TLS.KeyFile = server.certFile, server.keyFile
	expectClass(t, newSink(t, c).Send(t.Context(), exampleEvent(t)), "")
	if server.client == nil || !bytes.Equal(server.client.Raw, server.Certificate().Raw) {
		t.Error("the sink saw another client certificate, or none")
	}
}

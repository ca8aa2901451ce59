package listener

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// serveTLS serves HTTPS and returns the client's side of it.
func serveTLS(t *testing.T) (*served, *tls.Config) {
	t.Helper()
	cert, key := certificate.New(t, 1)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	s := serve(t, func(o *Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}} })
	return s, &tls.Config{RootCAs: roots, ServerName: certificate.Name}
}

func (s *served) dialTLS(config *tls.Config) *caller {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.address, config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return &caller{s.t, conn, bufio.NewReader(conn)}
}

// Plain text is counted, whatever TLS makes of it.
func TestHeadersAreBoundedUnderTLS(t *testing.T) {
	s, config := serveTLS(t)
	tiny := s.dialTLS(config)
	tiny.sends("GET / HTTP/1.1\r\nHost: h\r\n" + lines(2000, "\n"))
	if status, _ := tiny.gets(); status != 431 {
		t.Errorf("tiny lines: %d", status)
	}
	large := s.dialTLS(config)
	large.sends("POST /verified HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("b", 1_000_000))
	if status, body := large.gets(); status != 200 || body != "/verified 1000000" {
		t.Errorf("a large body with a key: %d %s", status, body)
	}
	if status := large.asks("/verified"); status != 200 {
		t.Errorf("the next call: %d", status)
	}
}

// A handshake that never ends costs no more than a silent connection, and a failed one no log line: it is none of
// net/http's.
func TestHandshakesOfStrangersAreBounded(t *testing.T) {
	s, config := serveTLS(t)
	kept := s.dialTLS(config)
	if status := kept.asks("/verified"); status != 200 {
		t.Fatalf("%d", status)
	}
	// The begin of a ClientHello of 60 kB, in records of 16 kB.
	hello := append([]byte{22, 3, 1, 64, 0, 1, 0, 234, 96}, bytes.Repeat([]byte{0}, 1<<14-4)...)
	for i := range 5 * limits.Connections {
		stranger := s.dial()
		if i%2 == 0 {
			stranger.sends(string(hello) + string(hello))
		}
		if i%20 == 0 {
			if status := s.dialTLS(config).asks("/key"); status != 200 {
				t.Errorf("a new caller beside %d strangers: %d", i+1, status)
			}
		}
	}
	poll.Until(t, "failed handshakes", func() bool { return s.closed("tls_handshake") > limits.Connections })
	if status := kept.asks("/verified"); status != 200 {
		t.Errorf("the kept connection: %d", status)
	}
}

func TestPlainHTTPOnAPortForHTTPS(t *testing.T) {
	s, _ := serveTLS(t)
	c := s.dial()
	c.sends("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if status, body := c.gets(); status != 400 || !strings.Contains(body, "HTTPS") {
		t.Errorf("%d %s", status, body)
	}
}

// The guard reads no further than it may, and lets everything pass in the end.
func TestGuard(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { _, _ = theirs.Write(make([]byte, 100)); theirs.Close() }()
	g := &guard{Conn: ours, left: 60}
	if n, err := io.ReadFull(g, make([]byte, 100)); n != 60 || err != io.ErrUnexpectedEOF {
		t.Errorf("%d bytes, %v", n, err)
	}
	g.left = unbounded
	if n, err := io.ReadFull(g, make([]byte, 40)); n != 40 || err != nil || g.left != unbounded {
		t.Errorf("%d further bytes, %v", n, err)
	}
}

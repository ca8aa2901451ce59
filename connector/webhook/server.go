package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/listener"
)

const (
	// readHeaderTimeout only runs once a header is there: see package listener. From the header on, a call has
	// answerWithin.
	readHeaderTimeout = listener.FirstHeaderTimeout
	// writeTimeout frees the connection of a caller that does not read. Answers are far smaller than a socket's buffer.
	writeTimeout = 10 * time.Second
	// idleTimeout is longer than the 600 s after which common load balancers close an idle connection: if the server
	// closed first, a call sent at that moment would be lost.
	idleTimeout = 620 * time.Second
)

// Server is the listener's life. To stop without losing a call: Drain, wait until callers have moved, then Shutdown.
type Server struct {
	handler     *Handler
	http        *http.Server
	certificate atomic.Pointer[tls.Certificate]

	mu       sync.Mutex
	limits   listener.Limits
	listener *listener.Listener // nil before Serve
}

// NewServer makes a server of plain HTTP/1.1, or of HTTPS if UseCertificate is called before Serve.
func NewServer(handler *Handler, limits listener.Limits, logger logr.Logger) *Server {
	s := &Server{handler: handler, limits: limits}
	// HTTP/2 would bring nothing to calls this small.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: readHeaderTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		// "OPTIONS *" is an unknown path like any other.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(listener.NewErrorLog(logger, handler.Metrics), slog.LevelWarn),
	}
	return s
}

// UseCertificate replaces the certificate for connections from now on.
func (s *Server) UseCertificate(certificate *tls.Certificate) { s.certificate.Store(certificate) }

// Serve serves calls of the listener, which it closes, until Shutdown begins: then it returns nil while Shutdown still
// waits.
func (s *Server) Serve(inner net.Listener) error {
	s.mu.Lock()
	s.listener = listener.New(inner, listener.Options{Name: "webhook", Limits: s.limits, TLS: s.tls(), Metrics: s.handler.Metrics})
	s.mu.Unlock()
	return s.listener.Serve(s.http)
}

// Resize changes the number of connections at once, as listener.Listener does.
func (s *Server) Resize(connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limits.Connections == connections {
		return
	}
	s.limits.Connections = connections
	if s.listener != nil {
		s.listener.Resize(connections)
	}
}

// tls is nil without a certificate.
func (s *Server) tls() *tls.Config {
	if s.certificate.Load() == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.certificate.Load(), nil
		},
	}
}

// Drain goes on serving, and asks every caller to close its connection with the next answer. Idle connections stay
// open: closing them now would lose calls that are on their way.
func (s *Server) Drain() { s.handler.Drain() }

// Shutdown closes the listener and the idle connections, and waits for the calls in flight. If ctx ends first, it cuts
// off the rest, and returns ctx's error if a call was among that: half a request is none.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.handler.refusals.end()
	err := s.http.Shutdown(ctx)
	if err == nil {
		return nil
	}
	if s.handler.inFlight.idle() {
		err = nil
	}
	return errors.Join(err, s.http.Close())
}

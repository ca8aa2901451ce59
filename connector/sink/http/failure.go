package httpsink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/sink"
)

// classProtocol is the class of requests and answers that are no HTTP.
const classProtocol = "protocol"

// ownError is a failure that this package finds by itself.
type ownError struct{ class, reason string }

func (e *ownError) Error() string { return e.reason }

// failure says why no answer came. It quotes nothing of the other side, and of the URL only the host.
func (s *Sink) failure(ctx context.Context, err error) *sink.Failed {
	class, reason := s.classify(ctx, err)
	return &sink.Failed{Class: class, Reason: reason}
}

func (s *Sink) classify(ctx context.Context, err error) (class, reason string) {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTimeout) {
		return "canceled", "the connector cut the attempt short"
	}
	if own, ok := errors.AsType[*ownError](err); ok {
		return own.class, own.reason
	}
	if full, ok := errors.AsType[*sink.NoPlaceError](err); ok {
		return "connection", full.Error()
	}
	if isTimeout(ctx, err) {
		return "timeout", s.peer + " did not answer in time"
	}
	if reason, ok := tlsReason(err); ok {
		return "tls", s.peer + ": " + reason
	}
	if reason, ok := connectionReason(err); ok {
		return "connection", s.peer + ": " + reason
	}
	if strings.Contains(err.Error(), "response headers exceeded") { // net/http has no type for it
		return classProtocol, fmt.Sprintf("%s: the answer's headers are larger than %d KiB", s.peer, maxAnswerHeader>>10)
	}
	return classProtocol, s.peer + ": the answer's status line or headers cannot be read as HTTP/1.1"
}

func isTimeout(ctx context.Context, err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return ctx.Err() != nil || (ok && network.Timeout())
}

func tlsReason(err error) (string, bool) {
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return untrusted.Error(), true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the sink does not speak TLS on this port", true
	}
	// crypto/tls reports an alert of either side as an OpError of these names.
	alert, ok := errors.AsType[*net.OpError](err)
	if ok && (alert.Op == "remote error" || alert.Op == "local error") {
		return alert.Op + ": " + alert.Err.Error(), true
	}
	return "", false
}

func connectionReason(err error) (string, bool) {
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return "name lookup: " + lookup.Err, true
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return "the connection was closed before the answer", true
	}
	if operation, ok := innermost(err); ok {
		// Without the addresses: the local port would make every text differ.
		return operation.Op + ": " + operation.Err.Error(), true
	}
	return "", false
}

// innermost returns the operation that failed. A proxy's failure stands within another operation, whose text names
// addresses.
func innermost(err error) (*net.OpError, bool) {
	operation, ok := errors.AsType[*net.OpError](err)
	for ok {
		inner, nested := errors.AsType[*net.OpError](operation.Err)
		if !nested {
			break
		}
		operation = inner
	}
	return operation, ok
}

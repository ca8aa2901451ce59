package httpsink

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"xbot.a4b.vn/channel-connector/connector/sink"
)

// maxRetryAfter bounds a sink's wish to be left alone, so that a slip in a
// header (a date in the wrong year, milliseconds for seconds) cannot hold a
// conversation for days.
const maxRetryAfter = time.Hour

// verdict judges an answer by its status alone.
func verdict(resp *http.Response, now time.Time) error {
	status := resp.StatusCode
	if status >= 200 && status <= 299 {
		return nil
	}
	reason := "HTTP " + strconv.Itoa(status)
	switch status {
	case http.StatusBadRequest, http.StatusGone, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return &sink.Refused{Reason: reason}
	}
	// Other 4xx too: a bot being redeployed answers 404, an expired token 401.
	return &sink.Failed{
		Class:      "status",
		Reason:     reason,
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), now),
	}
}

// retryAfter reads a Retry-After header: seconds or an HTTP date. It returns
// zero for what is absent, past or unreadable.
func retryAfter(value string, now time.Time) time.Duration {
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
}

// failure says why no answer came. It never quotes what the other side sent,
// nor the URL beyond its host.
func failure(ctx context.Context, host string, err error) *sink.Failed {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTimeout) {
		return &sink.Failed{Class: "canceled", Reason: "the connector cut the attempt short"}
	}
	if isTimeout(ctx, err) {
		return &sink.Failed{Class: "timeout", Reason: host + " did not answer in time"}
	}
	if reason, ok := tlsReason(err); ok {
		return &sink.Failed{Class: "tls", Reason: host + ": " + reason}
	}
	if reason, ok := connectionReason(err); ok {
		return &sink.Failed{Class: "connection", Reason: host + ": " + reason}
	}
	return &sink.Failed{Class: "protocol", Reason: host + ": the answer's status line or headers cannot be read as HTTP/1.1"}
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
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		// Without the addresses: the local port would make every text differ.
		return operation.Op + ": " + operation.Err.Error(), true
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was closed before the answer", true
	}
	return "", false
}
